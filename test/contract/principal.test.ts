/** A server is told who calls only where its operator says so, and then by the checked credential alone. */
import { expect, it } from 'vitest';
import { bridges } from '../../bridges/index.ts';
import { entry, TemporaryKeyFile } from '../core/auth/support.ts';
import { FAKE_CHILD, Fleet } from '../support/fleet.ts';

const PRINCIPAL = 'mcp-bridge-fleet/principal';

it('one server of a process is told who calls, and no other', async () => {
  using file = new TemporaryKeyFile([entry('one-canary', { id: 'anna' }), entry('two-canary', { id: 'ben' })]);
  const server = { command: process.execPath, args: [FAKE_CHILD], env: { FAKE_ONLY: 'meta,received' } };
  await using fleet = await Fleet.start({
    config: {
      mcpServers: {
        told: { ...server, principalMeta: true },
        untold: { ...server, principalMeta: false },
        other: server,
      },
    },
    env: { AUTH: 'keys', API_KEYS_FILE: file.path },
  });
  const wishes = { _meta: { [PRINCIPAL]: 'anna' }, principal: 'anna', [PRINCIPAL]: 'anna' };
  const call = async (bridge: string, tool: string, secret: string) =>
    fleet.request(`/${bridge}/mcp/tools/${tool}`, tool === 'meta' ? {} : wishes, {
      headers: { authorization: `Bearer ${secret}`, [PRINCIPAL.replace('/', '-')]: 'anna', 'x-principal': 'anna' },
    });
  const toldTo = async (bridge: string, secret: string) => {
    const answer = await call(bridge, 'meta', secret);
    expect(answer.text).not.toContain('canary');
    return JSON.parse(answer.json.content[0].text).meta[PRINCIPAL];
  };
  expect(await toldTo('told', 'one-canary')).toBe('anna');
  expect(await toldTo('told', 'two-canary')).toBe('ben');
  for (const bridge of ['untold', 'other']) {
    expect(await toldTo(bridge, 'one-canary')).toBeUndefined();
    const { text } = await call(bridge, 'meta', 'two-canary');
    expect(text).not.toContain('ben');
  }
  // What a caller writes into its arguments stays there.
  const { text } = await call('told', 'received', 'two-canary');
  expect(text).toContain(`\\"${PRINCIPAL}\\":\\"ben\\"`);
});

it('of the bridges that come with the service only the memory is told who calls', async () => {
  const told: string[] = [];
  for (const [name, load] of Object.entries(bridges)) if ((await load()).principalMeta) told.push(name);
  expect(told).toEqual(['memory']);
});
