/** Acceptance rows D8 and D9: the operating system says no. */
import { readdirSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { Fleet, type FleetOptions } from '../support/fleet.ts';
import { until } from '../support/until.ts';

it('D8 with few file descriptors the process neither crashes nor stays shut', async () => {
  await using fleet = await Fleet.fake({}, {}, { limits: 'ulimit -n 64' });
  const { hostname, port } = new URL(fleet.url);
  const sockets = Array.from({ length: 100 }, () => connect(Number(port), hostname).on('error', () => {}));
  await until('many have been connected', () => sockets.filter(({ connecting }) => !connecting).length > 20);
  for (const socket of sockets) socket.destroy();
  await until(
    'it serves again',
    async () => (await fleet.call('echo', { text: 'x' }).catch(() => undefined))?.status === 200,
  );
  expect(fleet.process.exitCode).toBeNull();
});

/**
 * Room for so many threads and no more. RLIMIT_NPROC counts those of a user and does not bind root: root gives the
 * process to a user of its own, anybody else has the threads that are there already counted in.
 */
function roomFor(threads: number): FleetOptions {
  const root = process.getuid?.() === 0;
  const limit = threads + (root ? 0 : threadsOf(process.getuid?.() ?? 0));
  return {
    limits: `ulimit -u ${limit} 2>/dev/null || ulimit -p ${limit}`,
    env: { NODE_COMPILE_CACHE: '', HOME: '/tmp' },
    ...(root ? { uid: 54_321 } : {}),
  };
}

function threadsOf(uid: number): number {
  let threads = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (statSync(`/proc/${pid}`).uid === uid) threads += readdirSync(`/proc/${pid}/task`).length;
    } catch {
      // It ended meanwhile.
    }
  }
  return threads;
}

it('D9 without room for a further process a start fails like any other, and the service stays', async () => {
  await using fleet = await Fleet.fake({}, { pool: { min: 0, max: 1 } }, roomFor(12));
  const answer = await fleet.call('echo', { text: 'x' }, { headers: { 'x-request-timeout-ms': '3000' } });
  expect(answer.status).toBe(503);
  expect(answer.json.executed).toBe('no');
  expect((await fleet.ops('/livez')).status).toBe(200);
});

// A process of Node has seven threads: room for the fleet and its child, and for no thread that checks schemas.
it('D9 without room for a further thread a check that needs one is refused, and the service stays', async () => {
  await using fleet = await Fleet.fake({}, { pool: { min: 1, max: 1 } }, roomFor(14));
  expect((await fleet.call('strict', { name: 'abc' })).status).toBe(200);
  const large = { name: 'abc', list: Array.from({ length: 19_000 }, (_, n) => n) };
  const refused = await fleet.call('strict', large);
  // Where the limit leaves room for it, the list is found too long.
  expect(['schema_rejected', 'invalid_arguments']).toContain(refused.json.code);
  expect(refused.json.executed).toBe('no');
  expect((await fleet.call('strict', { name: 'abc' })).status).toBe(200);
  expect(fleet.process.exitCode).toBeNull();
});
