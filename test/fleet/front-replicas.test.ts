/** Acceptance table B6 at the front: replicas that come, go and die, and nginx that reads its configuration anew. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { Front, type FrontAnswer } from './support/front.ts';
import { docker } from './support/stage.ts';

let front: Front;

beforeAll(async () => {
  front = await Front.start({ replicas: 3 });
});
afterAll(async () => {
  await front[Symbol.asyncDispose]();
});

/** Calls one after the other on each of so many lanes until told to stop; every answer, and what failed without one. */
function load(lanes: number, call: (n: number) => Promise<FrontAnswer>) {
  const answers: FrontAnswer[] = [];
  const failures: unknown[] = [];
  let next = 0;
  let stopped = false;
  const lane = async () => {
    while (!stopped) {
      await call(next++).then(
        (answer) => answers.push(answer),
        (error: unknown) => failures.push(error),
      );
    }
  };
  const running = Promise.all(Array.from({ length: lanes }, lane));
  return {
    answers,
    failures,
    async stop() {
      stopped = true;
      await running;
    },
  };
}

const statusesOf = (answers: readonly FrontAnswer[]) => [...new Set(answers.map(({ status }) => status))];

it('replicas share calls evenly', async () => {
  const calls = 300;
  for (let n = 0; n < calls; n += 10) {
    const headers = (i: number) => ({ 'x-request-id': `even-${n + i}` });
    const some = Array.from({ length: 10 }, (_, i) => front.call('echo', { text: 'x' }, { headers: headers(i) }));
    expect(statusesOf(await Promise.all(some))).toEqual([200]);
  }
  const served = new Map<string, number>();
  const lines = await until('all are logged', async () => {
    const even = (await front.log()).filter(({ requestId }) => requestId.startsWith('even-'));
    return even.length === calls ? even : undefined;
  });
  for (const { upstream } of lines) served.set(upstream, (served.get(upstream) ?? 0) + 1);
  expect(served.size).toBe(3);
  for (const count of served.values()) expect(Math.abs(count - calls / 3)).toBeLessThanOrEqual(5);
});

it('reading the configuration anew five times under load fails no call and breaks no connection (L6)', async () => {
  const calls = load(10, () => front.call('echo', { text: 'x' }));
  for (let n = 0; n < 5; n++) {
    const reached = calls.answers.length + 150;
    await until('calls go on', () => calls.answers.length >= reached, { timeoutMs: 30_000 });
    await front.reload();
  }
  const reached = calls.answers.length + 150;
  await until('calls go on after the last', () => calls.answers.length >= reached, { timeoutMs: 30_000 });
  await calls.stop();
  expect(calls.failures).toEqual([]);
  expect(statusesOf(calls.answers)).toEqual([200]);
});

it('a new replica gets calls without anything being reloaded (L7)', async () => {
  const replica = await front.addReplica();
  const address = await front.stage.address(replica, front.network);
  const calls = load(4, () => front.call('echo', { text: 'x' }));
  await until(
    'the new replica serves',
    async () => (await front.log()).some(({ upstream, status }) => upstream === `${address}:3000` && status === 200),
    { timeoutMs: 30_000, everyMs: 200 },
  );
  await calls.stop();
  // While it was starting, its port was closed: those calls went elsewhere.
  expect(calls.failures).toEqual([]);
  expect(statusesOf(calls.answers)).toEqual([200]);
});

it('a replica that is stopped finishes, and no call is lost (L1)', async () => {
  const calls = load(8, (n) => front.call('sleep', { ms: n % 50 }));
  await until('calls run', () => calls.answers.length > 50, { timeoutMs: 20_000 });
  const leaving = front.replicas.at(-1) ?? '';
  await docker('stop', '--time', '30', leaving);
  const reached = calls.answers.length + 100;
  await until('calls go on', () => calls.answers.length >= reached, { timeoutMs: 20_000 });
  await calls.stop();
  expect(calls.failures).toEqual([]);
  expect(statusesOf(calls.answers)).toEqual([200]);
  expect(await docker('inspect', '--format', '{{.State.ExitCode}}', leaving)).toBe('0');
  await front.removeReplica(leaving);
});

it('a replica that is killed costs the calls in flight on it, each 502 replica_lost maybe, and none runs twice (L5)', async () => {
  const lanes = 12;
  const calls = load(lanes, (n) => front.call('sleep', { ms: 300, tag: `killed ${n}` }));
  await until('calls run', () => calls.answers.length > lanes, { timeoutMs: 20_000 });
  const [victim = ''] = front.replicas;
  await docker('kill', '--signal', 'KILL', victim);
  const reached = calls.answers.length + 3 * lanes;
  await until('calls go on', () => calls.answers.length >= reached, { timeoutMs: 30_000 });
  await calls.stop();
  expect(calls.failures).toEqual([]);
  const lost = calls.answers.filter(({ status }) => status !== 200);
  expect(lost.length).toBeGreaterThan(0);
  expect(lost.length).toBeLessThanOrEqual(lanes);
  for (const { status, json } of lost) {
    expect([status, json.code, json.executed, json.retryable, json.bridge]).toEqual([
      502,
      'replica_lost',
      'maybe',
      false,
      'slack',
    ]);
  }
  expect(front.ledger.repeatedTags()).toEqual([]);
  const after = await Promise.all(Array.from({ length: 30 }, () => front.call('echo', { text: 'x' })));
  expect(statusesOf(after)).toEqual([200]);
  await front.removeReplica(victim);
});

it('without any replica a call is 503 no_replica at once, and was sent to nobody (L8)', async () => {
  await Promise.all([...front.replicas].map((replica) => front.removeReplica(replica)));
  const gone = await until('nobody answers to the name', async () => {
    const answer = await front.call('echo', { text: 'x' }, { headers: { 'x-request-id': 'no-name' } });
    return answer.status === 503 ? answer : undefined;
  });
  expect(gone.json).toMatchObject({
    code: 'no_replica',
    executed: 'no',
    retryable: true,
    retryAfterMs: 1000,
    bridge: 'slack',
  });
  expect(gone.headers['retry-after']).toBe('1');

  // Somebody has the name, and takes no connection.
  const address = await front.stage.address(await front.addEmptyReplica(), front.network);
  const refusals = async () =>
    (await front.log()).filter(({ upstream, status }) => upstream.startsWith(`${address}:3000`) && status === 503);
  await until('its connections are refused', async () => {
    await front.call('echo', { text: 'x' });
    return (await refusals()).length >= 10;
  });
  const seconds = (await refusals()).map((line) => line.seconds).sort((a, b) => a - b);
  expect(seconds[Math.floor(seconds.length / 2)]).toBeLessThanOrEqual(0.05);
});
