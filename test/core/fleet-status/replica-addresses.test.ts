import { describe, expect, it } from 'vitest';
import { findReplicas, type Lookup, parseTarget } from '#core/fleet-status/replica-addresses.ts';

const NAMES: Readonly<Record<string, string[]>> = {
  'mcp-slack': ['10.0.0.1', '10.0.0.2'],
  six: ['fd00::1'],
  '10.0.0.1': ['10.0.0.1'],
};
const lookup: Lookup = async (host) => {
  const addresses = NAMES[host];
  if (addresses === undefined) throw Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' });
  return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
};
const find = (...targets: string[]) => findReplicas(targets, { defaultPort: 9464, timeoutMs: 1_000, lookup });

describe('replicas', () => {
  it('of a name are all its addresses, each once', async () => {
    expect(await find('mcp-slack', '10.0.0.1', 'six:1234')).toEqual([
      { target: '10.0.0.1', origin: 'http://10.0.0.1:9464' },
      { target: 'mcp-slack', origin: 'http://10.0.0.2:9464' },
      { target: 'six:1234', origin: 'http://[fd00::1]:1234' },
    ]);
  });

  it('of a name that is not known are one that says so', async () => {
    expect(await find('nowhere')).toEqual([{ target: 'nowhere', problem: expect.stringContaining('not known here') }]);
  });

  it('of a name that is never resolved are given up in time', async () => {
    const never: Lookup = () => new Promise(() => {});
    expect(await findReplicas(['slow'], { defaultPort: 1, timeoutMs: 10, lookup: never })).toEqual([
      { target: 'slow', problem: 'its name was not resolved within 10 ms' },
    ]);
  });

  it('are named by host, host and port, IPv6 in brackets, or URL, and by nothing else', () => {
    expect(parseTarget('mcp-slack', 9464)).toEqual({ host: 'mcp-slack', port: 9464 });
    expect(parseTarget('10.0.0.1:80', 9464)).toEqual({ host: '10.0.0.1', port: 80 });
    expect(parseTarget('[::1]:80', 9464)).toEqual({ host: '::1', port: 80 });
    expect(parseTarget('http://mcp-slack:9464/', 1)).toEqual({ host: 'mcp-slack', port: 9464 });
    for (const wrong of ['', 'https://x', 'a b', 'x:0', 'x:99999', '[x]', 'http://x/y', 'u:p@x']) {
      expect(parseTarget(wrong, 1), wrong).toBeUndefined();
    }
  });
});
