/**
 * Contract section 5 as a property: whatever crashes, hangs, leaves or restarts, no keyed write is executed twice and
 * no replay differs from the first answer. The calls come from one seed, which is printed; `SEED=n` plans them again.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { pick, random } from '../core/json/random-json.ts';
import { isRunning } from '../support/fake-child.ts';
import { Fleet } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { type PlannedCall, PRINCIPALS, planCalls } from './call-plan.ts';
import { brokenPromises, type Ending, nameOf, type Observation } from './judge.ts';
import { Replica } from './replica.ts';

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const CALLS = Number(process.env.CALLS ?? 10_000);
const REPLICAS = 3;
const CALLERS = 40;
const DEADLINE_MS = 2_000;
/** Beside what the machine itself held this process up: callers, three processes, children and Redis share it. */
const SLACK_MS = 2_000;
/** Of a process told to finish; longer than any deadline. */
const DRAIN_MS = 3_000;
const MAX_RUN_MS = 240_000;

const say = (text: string): void => void process.stdout.write(`never twice: ${text}\n`);

class Run {
  readonly observations: Observation[] = [];
  readonly chaos: Record<string, number> = {};
  readonly #replicas: readonly Replica[];
  readonly #redis: TestRedis;
  readonly #startedAtMs = performance.now();
  #over = false;

  constructor(replicas: readonly Replica[], redis: TestRedis) {
    this.#replicas = replicas;
    this.#redis = redis;
  }

  /** Makes all these calls while everything fails, and returns when everything stands again. */
  async all(plan: readonly PlannedCall[]): Promise<void> {
    const progress = setInterval(() => say(this.#soFar(plan.length)), 5_000);
    const chaos = [this.#endProcesses(random(SEED + 1)), this.#troubleRedis(random(SEED + 2))];
    const [calls, ...troubles] = await Promise.allSettled([
      this.calls(plan).finally(() => {
        clearInterval(progress);
        this.#over = true;
      }),
      ...chaos,
    ]);
    for (const ended of [...troubles, calls]) if (ended.status === 'rejected') throw ended.reason;
  }

  /** Callers that each take the next call of the plan when they have an answer. */
  async calls(plan: readonly PlannedCall[]): Promise<void> {
    const rest = plan.values();
    const caller = async (): Promise<void> => {
      for (const call of rest) {
        if (performance.now() - this.#startedAtMs > MAX_RUN_MS) throw new Error(`not done within ${MAX_RUN_MS} ms`);
        await delay(call.pauseMs);
        this.observations.push(await this.#observe(call));
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
  }

  async #observe(call: PlannedCall): Promise<Observation> {
    const replica = this.#standing(call.replica);
    const trace = String(this.observations.length).padStart(8, 'a') + call.index.toString(16).padStart(24, '0');
    const sentAtMs = performance.now();
    const ending = await this.#ending(call, replica, trace, sentAtMs);
    return { call, trace, sentAtMs, endedAtMs: performance.now(), ending };
  }

  async #ending(call: PlannedCall, replica: Replica, trace: string, sentAtMs: number): Promise<Ending> {
    const { unit, variant, timeoutMs, leaveAfterMs } = call;
    const headers = {
      'x-api-key': `secret-of-${unit.principal}`,
      'idempotency-key': unit.key,
      traceparent: `00-${trace}-00000000000000ff-01`,
      ...(timeoutMs === undefined ? {} : { 'x-request-timeout-ms': String(timeoutMs) }),
    };
    const leave = leaveAfterMs === undefined ? undefined : AbortSignal.timeout(leaveAfterMs);
    try {
      const answer = await replica.call(unit.tool, unit.args[variant], {
        headers,
        ...(leave === undefined ? {} : { signal: leave }),
      });
      return {
        kind: 'answer',
        status: answer.status,
        code: answer.status === 200 ? 'ok' : answer.json.code,
        executed: answer.status === 200 ? 'yes' : answer.json.executed,
        replayed: answer.headers['idempotency-replayed'] === 'true',
        contentType: answer.headers['content-type'],
        text: answer.text,
      };
    } catch (error) {
      if (leave?.aborted) return { kind: 'left' };
      return { kind: 'lost', reason: String(error), excused: replica.wasAwaySince(sentAtMs) };
    }
  }

  /** That one, or where it has no process the next that has. */
  #standing(wanted: number): Replica {
    const inTurn = [...this.#replicas.slice(wanted), ...this.#replicas.slice(0, wanted)];
    const standing = inTurn.find(({ fleet }) => fleet !== undefined) ?? inTurn[0];
    if (standing === undefined) throw new Error('no replica');
    return standing;
  }

  async #endProcesses(next: () => number): Promise<void> {
    while (!this.#over) {
      await delay(1_000 + next() * 2_000);
      const signal = pick(next, ['SIGTERM', 'SIGKILL'] as const);
      const replica = pick(next, this.#replicas);
      const restMs = next() * 500;
      this.#count(`process ${signal}`);
      await replica.restart(signal, () => delay(restMs));
    }
  }

  async #troubleRedis(next: () => number): Promise<void> {
    while (!this.#over) {
      await delay(1_500 + next() * 3_000);
      const awayMs = next() * 1_500;
      if (next() < 0.5) {
        this.#count('Redis SIGSTOP');
        this.#redis.pause();
        await delay(awayMs);
        this.#redis.resume();
      } else {
        this.#count('Redis SIGKILL');
        await this.#redis.kill();
        await delay(awayMs);
        await this.#redis.restart();
      }
    }
  }

  #count(what: string): void {
    this.chaos[what] = (this.chaos[what] ?? 0) + 1;
  }

  #soFar(calls: number): string {
    const seconds = Math.round((performance.now() - this.#startedAtMs) / 1_000);
    return `${this.observations.length} of ${calls} calls, ${seconds} s, ${JSON.stringify(this.chaos)}`;
  }
}

function keysFile(folder: string): string {
  const path = join(folder, 'keys.json');
  const entries = PRINCIPALS.map((id) => ({
    id,
    sha256: createHash('sha256').update(`secret-of-${id}`).digest('hex'),
    allow: ['*:*'],
  }));
  writeFileSync(path, JSON.stringify(entries), { mode: 0o600 });
  return path;
}

const isInProgress = (ending: Ending): boolean => ending.kind === 'answer' && ending.code === 'idempotency_in_progress';

/** So that what is wrong with a thousand calls can still be read. */
const firstOf = (texts: readonly string[]): string[] => [`${texts.length} in all`, ...texts.slice(0, 5)];

function histogram(observations: readonly Observation[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { ending } of observations) {
    const name =
      ending.kind === 'answer'
        ? `${nameOf(ending)}${ending.replayed ? ' replayed' : ''}`
        : `client: ${ending.kind === 'left' ? 'left' : ending.reason}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(counts).sort());
}

it('no keyed write runs twice and no replay differs, whatever fails (P1 P2 P3 P4 P5 P6 D2 D3 D4)', async () => {
  say(`SEED=${SEED}`);
  const folder = mkdtempSync(join(tmpdir(), 'never-twice-'));
  using ledger = new Ledger();
  let redisPid: number;
  {
    await using redis = await startTestRedis({ appendfsync: 'always' });
    const start = () =>
      Fleet.fake(
        { FAKE_LEDGER: ledger.path },
        {
          pool: { min: 1, max: 2, concurrency: 8, queueMax: 16 },
          // Soon closed again: what is refused proves nothing.
          breaker: { windowMs: 2_000, openMs: 100 },
          tools: { '*': { effect: 'write', deadlineMs: DEADLINE_MS }, echo: { effect: 'write', ratePerMinute: 400 } },
        },
        {
          env: {
            REDIS_URL: redis.url,
            AUTH: 'keys',
            API_KEYS_FILE: keysFile(folder),
            DRAIN_MS: String(DRAIN_MS),
          },
        },
      );
    await using stack = new AsyncDisposableStack();
    const replicas: Replica[] = [];
    for (let n = 0; n < REPLICAS; n++) replicas.push(stack.use(await Replica.start(start)));

    const plan = planCalls({ seed: SEED, calls: CALLS, replicas: REPLICAS, maxPauseMs: 800 });
    const run = new Run(replicas, redis);
    const stalls = monitorEventLoopDelay({ resolution: 10 });
    stalls.enable();
    await run.all(plan);
    say(`${JSON.stringify(run.chaos)} ${JSON.stringify(histogram(run.observations), undefined, 1)}`);
    const judged = () => {
      const slackMs = SLACK_MS + (3 * stalls.max) / 1e6;
      return firstOf(brokenPromises(run.observations, ledger.entries(), { deadlineMs: DEADLINE_MS, slackMs }));
    };
    const lateMs = run.observations.map(
      ({ call, sentAtMs, endedAtMs }) => endedAtMs - sentAtMs - (call.timeoutMs ?? DEADLINE_MS),
    );
    say(
      `the latest answer came ${Math.round(Math.max(...lateMs))} ms after its deadline; this process was held up for ${Math.round(stalls.max / 1e6)} ms`,
    );
    expect(judged()).toEqual(['0 in all']);
    expect(run.observations).toHaveLength(CALLS);

    // And when all is well again: everybody asks once more, and every record is where it should be.
    await until('every process has Redis, and nothing waits for it', async () => {
      const states = await Promise.all(replicas.map(async ({ fleet }) => (await fleet?.ops('/status'))?.json));
      return states.every((state) => state.redis.state === 'ready' && state.bridges.fake.idempotency.pending === 0);
    });
    const units = new Map(plan.map((call) => [call.unit.tag, call]));
    let again = [...units.values()].map((call) => ({
      ...call,
      timeoutMs: undefined,
      leaveAfterMs: undefined,
      pauseMs: 0,
    }));
    const before = run.observations.length;
    // Until the leases of those that died have run out, too.
    const allAsked = async (): Promise<boolean> => {
      const from = run.observations.length;
      await run.calls(again);
      const waiting = run.observations.slice(from).filter(({ ending }) => isInProgress(ending));
      again = again.filter(({ unit }) => waiting.some(({ call }) => call.unit === unit));
      return again.length === 0;
    };
    await until('no key is in progress', allAsked, { timeoutMs: 30_000, everyMs: 500 });
    say(`asked again: ${JSON.stringify(histogram(run.observations.slice(before)), undefined, 1)}`);
    expect(judged()).toEqual(['0 in all']);
    stalls.disable();
    redisPid = redis.pid;
  }
  rmSync(folder, { recursive: true, force: true });
  expect(isRunning(redisPid)).toBe(false);
  await until('no child is left', () => ledger.starts().every((pid) => !isFakeChild(pid)));
}, 300_000);

/** The number alone may be another's by now. */
function isFakeChild(pid: number): boolean {
  try {
    return isRunning(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('fake-child.mjs');
  } catch {
    return false;
  }
}
