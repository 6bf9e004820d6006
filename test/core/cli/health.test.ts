/** `fleet health`: what a container engine is told, over real processes and real sockets. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { askHealth } from '#core/cli/health.ts';
import { Fleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { fleet as command } from './run.ts';

/** Something on the ops port's address that answers as told, or not at all. */
async function impostor(answer: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
    socket.once('data', () => answer(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const ask = (port: number, waitMs?: number) =>
  askHealth({ host: '127.0.0.1', port, name: 'localhost', ...(waitMs === undefined ? {} : { waitMs }) });

const portOf = (fleet: Fleet): string => new URL(fleet.opsUrl).port;

it('a process that can serve a call is healthy, wherever it listens and whichever hosts it takes', async () => {
  await using fleet = await Fleet.fake();
  const environment = { HOST: '0.0.0.0', OPS_PORT: portOf(fleet) };
  expect(await command(['health'], environment)).toEqual({ code: 0, stdout: 'healthy: ready\n', stderr: '' });
  await using strict = await Fleet.fake({}, {}, { env: { ALLOWED_HOSTS: 'bridge.example, other.example' } });
  const allowed = { OPS_PORT: portOf(strict), ALLOWED_HOSTS: 'bridge.example, other.example' };
  expect((await command(['health'], allowed)).stdout).toBe('healthy: ready\n');
});

it('a bridge without its secret is unhealthy, so that a roll-out stops at it', async () => {
  await using fleet = await Fleet.start({ args: ['serve', 'slack'] });
  expect(await command(['health'], { OPS_PORT: portOf(fleet) })).toEqual({
    code: 1,
    stdout: 'unhealthy: not_ready: slack not_configured\n',
    stderr: '',
  });
});

it('one bridge that can serve is enough for a process of several', async () => {
  const env = { SLACK_BOT_TOKEN: 'xoxb-1234567890-abcdefgh', SLACK_API_URL: 'http://127.0.0.1:9/' };
  await using fleet = await Fleet.start({ args: ['serve', 'slack', 'stripe'], env });
  expect(await ask(Number(portOf(fleet)))).toEqual({ healthy: true, reason: 'ready: stripe not_configured' });
});

it('a draining process is left alone until it has ended', async () => {
  await using fleet = await Fleet.fake({}, {}, { env: { DRAIN_DELAY_MS: '60000' } });
  fleet.process.kill('SIGTERM');
  await until('it drains', () => fleet.log.find(({ msg }) => msg === 'draining'));
  expect((await fleet.ops('/readyz')).status).toBe(503);
  expect(await ask(Number(portOf(fleet)))).toMatchObject({
    healthy: true,
    reason: expect.stringMatching(/^draining/),
  });
  await fleet.stop('SIGKILL');
  expect(await ask(Number(portOf(fleet)))).toEqual({
    healthy: false,
    reason: `127.0.0.1:${portOf(fleet)} cannot be asked (ECONNREFUSED)`,
  });
});

it('an ops port that hangs is given up after its time', async () => {
  await using hanging = await impostor(() => {});
  expect(await ask(hanging.port, 50)).toEqual({
    healthy: false,
    reason: `127.0.0.1:${hanging.port} gave no answer within 50 ms`,
  });
});

it.each([
  ['another service', 'HTTP/1.1 200 OK\r\n\r\n{"status":"fine"}', 'is no ops port: its answer is not that of /readyz'],
  ['something that closes', '', 'is no ops port: its answer is not that of /readyz'],
  ['a flood', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(70_000)}`, 'answered with more than 65536 bytes'],
])('%s on the ops port is not taken for health', async (_what, bytes, reason) => {
  await using other = await impostor((socket) => socket.end(bytes));
  expect(await ask(other.port)).toEqual({ healthy: false, reason: `127.0.0.1:${other.port} ${reason}` });
});

it('a port that cannot be is said, and nothing is asked', async () => {
  expect(await command(['health'], { OPS_PORT: 'nine' })).toEqual({
    code: 1,
    stdout: 'unhealthy: OPS_PORT: must be a whole number from 0 to 65535\n',
    stderr: '',
  });
});
