/** Acceptance row L1 under load: who is told goodbye goes elsewhere, and no call that ran loses its answer. */
import { Agent, request } from 'node:http';
import { expect, it } from 'vitest';
import { Fleet } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

interface Seen {
  readonly status: number;
  readonly close: boolean;
}

/** One call over a kept connection; rejects with the socket's error. */
function call(url: URL, agent: Agent, tag: string): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: url.hostname, port: url.port, path: '/fake/mcp/tools/sleep', method: 'POST', agent },
      (incoming) => {
        incoming.on('error', reject).on('end', () => {
          resolve({ status: incoming.statusCode ?? 0, close: incoming.headers.connection === 'close' });
        });
        incoming.resume();
      },
    );
    outgoing.on('error', reject);
    outgoing.setHeader('content-type', 'application/json');
    outgoing.end(JSON.stringify({ ms: 20, tag }));
  });
}

it('L1 under load every call that ran is answered, and for the whole delay every call is taken', async () => {
  const delayMs = 800;
  using ledger = new Ledger();
  await using fleet = await Fleet.fake(
    { FAKE_LEDGER: ledger.path },
    { pool: { min: 2, max: 2 } },
    { env: { DRAIN_DELAY_MS: String(delayMs) } },
  );
  const url = new URL(fleet.url);
  const seen: Seen[] = [];
  const unanswered: { readonly tag: string; readonly atMs: number }[] = [];
  const callers = Array.from({ length: 24 }, async (_, caller) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let n = 0; ; n++) {
      const tag = `${caller}-${n}`;
      try {
        seen.push(await call(url, agent, tag));
      } catch {
        unanswered.push({ tag, atMs: performance.now() });
        agent.destroy();
        return;
      }
    }
  });
  await until('the load runs', () => seen.length > 500);
  const before = seen.length;
  const stoppedAtMs = performance.now();
  expect(await fleet.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  await Promise.all(callers);
  const ran = new Set(ledger.entries('executed').map(({ tag }) => tag));
  expect(ran.size).toBe(seen.length);
  expect(unanswered.filter(({ tag }) => ran.has(tag))).toEqual([]);
  expect(unanswered.filter(({ atMs }) => atMs < stoppedAtMs + delayMs)).toEqual([]);
  expect([...new Set(seen.map(({ status }) => status))]).toEqual([200]);
  // Calls were taken after the signal; how many is the machine's affair.
  expect(seen.length).toBeGreaterThan(before + 10);
  expect(seen.filter(({ close }) => close).length).toBeGreaterThan(10);
}, 30_000);
