/** Acceptance rows D8 and D10: no descriptor left for a child, no room left for the log. */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { Fleet } from '../support/fleet.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

/** The next answer on a connection that stays open. */
async function answerOn(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  let seen = '';
  for (;;) {
    seen += String((await once(socket, 'data'))[0]);
    const [head = '', body = ''] = seen.split('\r\n\r\n');
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1]);
    if (seen.includes('\r\n\r\n') && Buffer.byteLength(body) >= length) return seen;
  }
}

it('D8 a call that needs a child when no descriptor is left is refused with 503, executed no, and taken later', async () => {
  await using fleet = await Fleet.fake({}, { pool: { min: 0, max: 1 } }, { limits: 'ulimit -n 40' });
  const { hostname, port } = new URL(fleet.url);
  const open = () => connect(Number(port), hostname).on('error', () => {});
  const caller = open();
  // An answer tells that this connection has its descriptor.
  expect(await answerOn(caller, 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n')).toContain('200 OK');
  const others = Array.from({ length: 60 }, open);
  await until('the descriptors are used up', () => readdirSync(`/proc/${fleet.process.pid}/fd`).length >= 40);
  const body = '{"text":"x"}';
  const call = `POST /fake/mcp/tools/echo HTTP/1.1\r\nHost: localhost\r\nX-Request-Timeout-Ms: 1500\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const refused = await answerOn(caller, call);
  expect(refused).toMatch(/^HTTP\/1\.1 503 /);
  expect(refused).toMatch(/"code":"(no_worker_ready|bridge_unavailable)"/);
  expect(refused).toContain('"executed":"no"');
  for (const socket of [caller, ...others]) socket.destroy();
  await until(
    'a call is taken',
    async () => (await fleet.call('echo', { text: 'x' }).catch(() => undefined))?.status === 200,
  );
  expect(fleet.process.exitCode).toBeNull();
  expect(fleet.log.filter(({ level }) => level === 'error').map(({ msg }) => msg)).toEqual([
    'no worker can be started; calls are refused until one can',
  ]);
});

it('D10 a full disk under the log stops neither calls nor an orderly end', async () => {
  const [main, ops] = [await freePort(), await freePort()];
  await using fleet = await Fleet.fake(
    {},
    {},
    { limits: 'exec >/dev/full', env: { PORT: String(main), OPS_PORT: String(ops) }, awaitReady: false },
  );
  fleet.url = `http://127.0.0.1:${main}`;
  fleet.opsUrl = `http://127.0.0.1:${ops}`;
  await until(
    'it serves',
    async () => (await fleet.call('echo', { text: 'x' }).catch(() => undefined))?.status === 200,
  );
  expect((await fleet.call('crash', { code: 1 })).status).toBe(502);
  await until(
    'it serves again',
    async () => (await fleet.call('echo', { text: 'x' }).catch(() => undefined))?.status === 200,
  );
  expect(fleet.log).toEqual([]);
  expect(await fleet.stop('SIGTERM')).toEqual({ code: 0, signal: null });
});
