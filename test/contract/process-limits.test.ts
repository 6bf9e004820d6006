/** Acceptance rows D8 and D9: the operating system says no. */
import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { Fleet } from '../support/fleet.ts';
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

// RLIMIT_NPROC does not bind root, so the process is given to a user of its own; without root the limit binds as it is.
it('D9 without room for a further process a start fails like any other, and the service stays', async () => {
  const uid = process.getuid?.() === 0 ? { uid: 54_321 } : {};
  await using fleet = await Fleet.fake(
    {},
    { pool: { min: 0, max: 1 } },
    { limits: 'ulimit -u 12 2>/dev/null || ulimit -p 12', env: { NODE_COMPILE_CACHE: '', HOME: '/tmp' }, ...uid },
  );
  const answer = await fleet.call('echo', { text: 'x' }, { headers: { 'x-request-timeout-ms': '3000' } });
  expect(answer.status).toBe(503);
  expect(answer.json.executed).toBe('no');
  expect((await fleet.ops('/livez')).status).toBe(200);
});

// A process of Node has seven threads: room for the fleet and its child, and for no thread that checks schemas.
it('D9 without room for a further thread a check that needs one is refused, and the service stays', async () => {
  const uid = process.getuid?.() === 0 ? { uid: 54_321 } : {};
  await using fleet = await Fleet.fake(
    {},
    { pool: { min: 1, max: 1 } },
    { limits: 'ulimit -u 14 2>/dev/null || ulimit -p 14', env: { NODE_COMPILE_CACHE: '', HOME: '/tmp' }, ...uid },
  );
  expect((await fleet.call('strict', { name: 'abc' })).status).toBe(200);
  const large = { name: 'abc', list: Array.from({ length: 45_000 }, (_, n) => n) };
  const refused = await fleet.call('strict', large);
  // Where the limit leaves room for it, the list is found too long.
  expect(['schema_rejected', 'invalid_arguments']).toContain(refused.json.code);
  expect(refused.json.executed).toBe('no');
  expect((await fleet.call('strict', { name: 'abc' })).status).toBe(200);
  expect(fleet.process.exitCode).toBeNull();
});
