/** Acceptance rows L1 to L3 and what surrounds them, on the real process. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type Answer, Fleet, type LogLine } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';

/** Whether a process is alive. */
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The process ids of the fleet's workers. */
async function workers(fleet: Fleet): Promise<number[]> {
  const { json } = await fleet.call('meta');
  return [JSON.parse(json.content[0].text).pid];
}

const said = (fleet: Fleet, message: string): LogLine | undefined => fleet.log.find(({ msg }) => msg === message);

it('the ready line has the real addresses', async () => {
  await using fleet = await Fleet.fake();
  expect(said(fleet, 'ready')).toMatchObject({
    level: 'info',
    url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:[1-9]\d+$/),
    opsUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:[1-9]\d+$/),
  });
  expect((await fleet.ops('/readyz')).status).toBe(200);
});

it('one command is served under its name, with its arguments as they are', async () => {
  const args = ['serve', '--name', 'fake', '--', process.execPath, 'test/fixtures/fake-child.mjs', '--fake-arg=a b'];
  await using fleet = await Fleet.start({ args });
  const { json } = await fleet.call('meta');
  expect(JSON.parse(json.content[0].text).argv).toContain('--fake-arg=a b');
});

it('L1 after SIGTERM calls are taken for the delay, answers say goodbye, and what is in flight finishes: none is lost', async () => {
  await using fleet = await Fleet.fake({}, {}, { env: { DRAIN_DELAY_MS: '600' } });
  const pids = await workers(fleet);
  const early = Array.from({ length: 20 }, () => fleet.call('sleep', { ms: 1200 }));
  await until('they are in flight', async () => (await fleet.ops('/status')).json.callsInFlight === 20);
  const ended = fleet.stop('SIGTERM');
  await until('it says that it leaves', () => said(fleet, 'draining'));
  expect((await fleet.ops('/readyz')).status).toBe(503);
  expect((await fleet.request('/health', undefined, { method: 'GET' })).status).toBe(503);
  const late = await Promise.all(Array.from({ length: 20 }, () => fleet.call('echo', { text: 'x' })));
  const answers: readonly Answer[] = [...late, ...(await Promise.all(early))];
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 40 }, () => 200));
  expect(answers.every(({ headers }) => headers.connection === 'close')).toBe(true);
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(pids.filter(alive)).toEqual([]);
});

it('L2 what does not finish within DRAIN_MS is answered 504, executed maybe, before the process ends with 0', async () => {
  await using fleet = await Fleet.fake({}, {}, { env: { DRAIN_MS: '300' } });
  const pids = await workers(fleet);
  const hanging = fleet.call('hang');
  await until('it is in flight', async () => (await fleet.ops('/status')).json.callsInFlight === 1);
  const ended = fleet.stop('SIGTERM');
  const { status, json } = await hanging;
  expect([status, json.code, json.executed]).toEqual([504, 'deadline_exceeded', 'maybe']);
  expect(await ended).toEqual({ code: 0, signal: null });
  expect(said(fleet, 'calls in flight are answered as out of time')).toMatchObject({ inFlight: 1, budgetMs: 300 });
  expect(pids.filter(alive)).toEqual([]);
});

it.each([
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)('L3 a second %s ends everything at once, workers that ignore everything included', async (signal, code) => {
  await using fleet = await Fleet.fake({ FAKE_IGNORE_TERM: '1', FAKE_IGNORE_EOF: '1' });
  const pids = await workers(fleet);
  const hanging = fleet.call('hang').catch(() => undefined);
  await until('it is in flight', async () => (await fleet.ops('/status')).json.callsInFlight === 1);
  void fleet.stop('SIGTERM');
  await until('it drains', () => said(fleet, 'draining'));
  const drainingAtMs = performance.now();
  await until('it is a second wish', () => performance.now() - drainingAtMs > 200);
  const askedAtMs = performance.now();
  expect(await fleet.stop(signal)).toEqual({ code, signal: null });
  expect(performance.now() - askedAtMs).toBeLessThan(5000);
  expect(pids.filter(alive)).toEqual([]);
  await hanging;
});

it('a signal while a worker is still starting ends the process with 0 and leaves no worker', async () => {
  await using fleet = await Fleet.fake({ FAKE_HANG_AT_START: '1' }, {}, { awaitReady: false });
  await until('it listens', () => said(fleet, 'listening'));
  expect(await fleet.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(said(fleet, 'ready')).toBeUndefined();
});

it.each(['start', 'fleet'])(
  'npm run %s hands its place to Node, so that a signal to npm alone reaches it',
  (script) => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
    const command = scripts[script].replace('core/cli/fleet.ts', '-p process.pid --').replace(/ dev$/, '');
    const shell = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
    expect(Number(shell.stdout)).toBe(shell.pid);
  },
);

it('SIGHUP does not end a service', async () => {
  await using fleet = await Fleet.fake();
  fleet.process.kill('SIGHUP');
  await until('it was heard', () => fleet.log.some(({ msg }) => msg.startsWith('SIGHUP')));
  expect((await fleet.call('echo', { text: 'x' })).status).toBe(200);
});

it('a server that cannot start does not keep the process from answering', async () => {
  await using fleet = await Fleet.fake({ FAKE_EXIT_AT_START: '3' });
  expect((await fleet.call('echo', { text: 'x' })).status).toBe(503);
  expect((await fleet.ops('/livez')).status).toBe(200);
  expect((await fleet.ops('/readyz')).status).toBe(503);
});

it('a bridge without its variables answers that it is not configured, and names them', async () => {
  await using fleet = await Fleet.start({ args: ['serve', 'postgres'] });
  const { status, json } = await fleet.request('/mcp/tools/query', {});
  expect([status, json.code]).toEqual([503, 'not_configured']);
  expect(json.detail).toContain('DATABASE_URL');
  expect(fleet.everything()).toContain('bridge postgres is not configured: set DATABASE_URL');
});

it('D10 a log whose reader is gone does not stop the service, nor its orderly end', async () => {
  await using fleet = await Fleet.fake();
  fleet.process.stdout?.destroy();
  for (let i = 0; i < 3; i++) await fleet.call('crash', { code: 1 });
  await until('it serves', async () => (await fleet.call('echo', { text: 'x' })).status === 200);
  expect(await fleet.stop('SIGTERM')).toEqual({ code: 0, signal: null });
});

it('no secret of a configuration comes out in a log line, though the server prints it', async () => {
  await using fleet = await Fleet.fake({
    API_TOKEN: 'canary-5d41402abc4b',
    FAKE_STDERR_AT_START: 'using canary-5d41402abc4b\n',
  });
  await until('the server has spoken', () => fleet.log.some(({ msg }) => msg === 'worker stderr'));
  expect(fleet.everything()).toContain('using [redacted]');
  expect(fleet.everything()).not.toContain('canary');
});
