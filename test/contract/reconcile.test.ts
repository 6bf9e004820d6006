/** Contract section 5: `Prefer: reconcile` after an unknown outcome, over two processes on one real Redis. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, Fleet } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const SERVER = join(import.meta.dirname, '../fixtures/payments-server.ts');
const TOOLS = { '*': { effect: 'write', reconcile: true } } as const;
const BRIEF = { 'x-request-timeout-ms': '1000' };

type Fault =
  | 'crash-before'
  | 'crash-after'
  | 'refuse'
  | 'hold-before'
  | 'hold-after'
  | 'look-crashes'
  | 'look-fails'
  | 'look-unsure';

const code = ({ status, json }: Answer): string => (status === 200 ? '200' : `${status} ${json.code} ${json.executed}`);
const reconciled = ({ headers }: Answer): boolean => headers['idempotency-reconciled'] === 'true';
const replayed = ({ headers }: Answer): boolean => headers['idempotency-replayed'] === 'true';

/** The world outside of the bridges: what was paid, and the faults that are ordered. */
class World implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'reconcile-'));
  readonly #payments = join(this.folder, 'payments');

  constructor() {
    writeFileSync(this.#payments, '');
  }

  order(fault: Fault, tag: string): void {
    writeFileSync(join(this.folder, `${fault}-${tag}`), '');
  }

  isOrdered(fault: Fault, tag: string): boolean {
    return existsSync(join(this.folder, `${fault}-${tag}`));
  }

  /** How often it was paid. */
  paid(tag: string): number {
    return readFileSync(this.#payments, 'utf8')
      .split('\n')
      .filter((line) => line === tag).length;
  }

  bridge(redis: TestRedis): Promise<Fleet> {
    const server = {
      command: process.execPath,
      args: [SERVER],
      env: { PAYMENTS_FILE: this.#payments, FAULTS_FOLDER: this.folder },
      tools: TOOLS,
      validateOutput: true,
    };
    return Fleet.start({
      config: { mcpServers: { payments: server } },
      env: { REDIS_URL: redis.url, ALLOWED_ORIGINS: 'https://planner.example' },
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function call(
  fleet: Fleet,
  tool: string,
  tag: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return fleet.request(`/payments/mcp/tools/${tool}`, { tag }, { headers: { 'idempotency-key': tag, ...headers } });
}
const pay = (fleet: Fleet, tag: string, headers = {}) => call(fleet, 'pay', tag, headers);
const ask = (fleet: Fleet, tag: string, headers = {}) => call(fleet, 'pay', tag, { prefer: 'reconcile', ...headers });

describe('two processes on one Redis', () => {
  const stack = new AsyncDisposableStack();
  let redis: TestRedis;
  let world: World;
  let one: Fleet;
  let other: Fleet;

  beforeAll(async () => {
    world = stack.use(new World());
    redis = stack.use(await startTestRedis());
    [one, other] = await Promise.all([world.bridge(redis), world.bridge(redis)]);
    stack.use(one);
    stack.use(other);
  });
  afterAll(() => stack.disposeAsync());

  it('a call whose server died after it took effect is found, recorded and told again', async () => {
    const tag = randomUUID();
    world.order('crash-after', tag);
    expect(code(await pay(one, tag))).toBe('502 child_crashed maybe');
    const again = await pay(other, tag);
    expect([code(again), replayed(again)]).toEqual(['502 child_crashed maybe', true]);
    const answer = await ask(other, tag);
    expect([code(answer), reconciled(answer), replayed(answer)]).toEqual(['200', true, false]);
    const receipt = { receipt: `receipt of ${tag}` };
    expect(answer.json).toEqual({
      content: [{ type: 'text', text: JSON.stringify(receipt) }],
      structuredContent: receipt,
    });
    for (const later of [await pay(one, tag), await ask(one, tag)]) {
      expect([code(later), reconciled(later), replayed(later)]).toEqual(['200', false, true]);
      expect(later.text).toBe(answer.text);
    }
    expect(world.paid(tag)).toBe(1);
  });

  it('a call whose server died before it took effect did not happen, and the same key runs once', async () => {
    const tag = randomUUID();
    world.order('crash-before', tag);
    expect(code(await pay(one, tag))).toBe('502 child_crashed maybe');
    const answer = await ask(other, tag);
    expect([code(answer), answer.json.retryable, reconciled(answer)]).toEqual(['409 not_executed no', true, false]);
    expect(world.paid(tag)).toBe(0);
    const first = await pay(one, tag);
    expect([code(first), replayed(first)]).toEqual(['200', false]);
    const later = await pay(other, tag);
    expect([code(later), replayed(later), later.text]).toEqual(['200', true, first.text]);
    expect(world.paid(tag)).toBe(1);
  });

  it('what the tool cannot tell is unknown, with where it looked, and stays as it was', async () => {
    const tag = randomUUID();
    world.order('crash-after', tag);
    await pay(one, tag);
    world.order('look-unsure', tag);
    const answer = await ask(other, tag);
    expect(code(answer)).toBe('409 outcome_unknown maybe');
    expect(answer.json.detail).toContain('payments of the last hour');
    expect(answer.json.retryable).toBe(false);
    const again = await pay(one, tag);
    expect([code(again), replayed(again)]).toEqual(['502 child_crashed maybe', true]);
    expect(code(await ask(one, tag))).toBe('200');
    expect(world.paid(tag)).toBe(1);
  });

  it('a look that fails leaves all as it was, and the next one finds it', async () => {
    const tag = randomUUID();
    world.order('crash-after', tag);
    await pay(one, tag);
    world.order('look-fails', tag);
    const refused = await ask(one, tag);
    expect(code(refused)).toBe('409 outcome_unknown maybe');
    expect(refused.json.detail).toContain('bank_closed');
    // A look changes nothing, so that it may have a second attempt on another worker.
    world.order('look-crashes', tag);
    const answer = await ask(other, tag);
    expect([code(answer), reconciled(answer)]).toEqual(['200', true]);
    expect(world.paid(tag)).toBe(1);
  });

  it('an answer that says executed no leaves the key free, for other arguments too (P4)', async () => {
    const tag = randomUUID();
    world.order('refuse', tag);
    const refused = await pay(one, tag);
    expect([code(refused), refused.json.structuredContent.error.code]).toEqual(['200', 'bank_busy']);
    const first = await pay(other, tag);
    expect([first.json.isError, replayed(first)]).toEqual([undefined, false]);
    const later = await pay(one, tag);
    expect([later.text, replayed(later)]).toEqual([first.text, true]);
    expect(world.paid(tag)).toBe(1);
    const key = randomUUID();
    world.order('refuse', key);
    await pay(one, key);
    const changed = await pay(other, randomUUID(), { 'idempotency-key': key });
    expect([code(changed), replayed(changed)]).toEqual(['200', false]);
  });

  it('a key of which nothing is known runs nothing', async () => {
    const tag = randomUUID();
    expect(code(await ask(one, tag))).toBe('409 not_executed no');
    expect(world.paid(tag)).toBe(0);
    expect(code(await pay(other, tag))).toBe('200');
    expect(world.paid(tag)).toBe(1);
  });

  it('fifty who ask at once over both processes: it is found, and nobody pays', async () => {
    const tag = randomUUID();
    world.order('crash-after', tag);
    await pay(one, tag);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(i % 2 === 0 ? one : other, tag)));
    for (const answer of answers) expect(['200', '409 idempotency_in_progress no']).toContain(code(answer));
    expect(answers.filter(reconciled)).toHaveLength(1);
    expect(world.paid(tag)).toBe(1);
  });

  it('a tool that cannot look is never asked: the failure is told again', async () => {
    const tag = randomUUID();
    world.order('crash-after', tag);
    expect(code(await call(one, 'pay-blindly', tag))).toBe('502 child_crashed maybe');
    const answer = await call(other, 'pay-blindly', tag, { prefer: 'reconcile' });
    expect([code(answer), replayed(answer)]).toEqual(['502 child_crashed maybe', true]);
    const unknown = await call(one, 'pay-blindly', randomUUID(), { prefer: 'reconcile' });
    expect(code(unknown)).toBe('409 outcome_unknown maybe');
    expect(world.paid(tag)).toBe(1);
  });

  it('without a key it is refused, and nothing runs', async () => {
    const tag = randomUUID();
    const answer = await one.request('/payments/mcp/tools/pay', { tag }, { headers: { prefer: 'reconcile' } });
    expect(code(answer)).toBe('400 invalid_header no');
    expect(answer.json.detail).toContain('Idempotency-Key');
    expect(world.paid(tag)).toBe(0);
  });

  it('a page of an allowed origin may read that it was found, and the metrics count it', async () => {
    const tag = randomUUID();
    world.order('crash-after', tag);
    await pay(one, tag);
    const answer = await ask(one, tag, { origin: 'https://planner.example' });
    expect(reconciled(answer)).toBe(true);
    expect(answer.headers['access-control-expose-headers']).toContain('Idempotency-Reconciled');
    const { text } = await one.ops('/metrics');
    expect(text).toMatch(/bridge_idempotency_reconciled_total\{.*found="executed".*\} [1-9]/);
  });
});

it.each([
  ['after', 1, '200'],
  ['before', 0, '409 not_executed no'],
] as const)(
  'a process killed %s the payment leaves an unknown outcome that can be asked about',
  async (when, paid, told) => {
    await using redis = await startTestRedis();
    using world = new World();
    await using owner = await world.bridge(redis);
    await using other = await world.bridge(redis);
    world.order(`hold-${when}`, 'once');
    const lost = pay(owner, 'once', BRIEF).catch(() => undefined);
    await until('it runs', () => !world.isOrdered(`hold-${when}`, 'once'));
    await until('it is paid', () => world.paid('once') === paid);
    await owner.stop('SIGKILL');
    await lost;
    expect(code(await ask(other, 'once'))).toBe('409 idempotency_in_progress no');
    const unknown = await until('the lease has run out', async () => {
      const later = await pay(other, 'once', BRIEF);
      return later.json.code === 'idempotency_in_progress' ? undefined : later;
    });
    expect(code(unknown)).toBe('409 outcome_unknown maybe');
    expect(unknown.json.detail).toContain('Prefer: reconcile');
    const answer = await ask(other, 'once', BRIEF);
    expect([code(answer), reconciled(answer)]).toEqual([told, paid === 1]);
    expect(world.paid('once')).toBe(paid);
    const later = await pay(other, 'once', BRIEF);
    expect([code(later), replayed(later)]).toEqual(['200', paid === 1]);
    expect(world.paid('once')).toBe(1);
  },
);

it("a server that never heard of it is not asked, whatever the operator's file says", async () => {
  using ledger = new Ledger();
  await using fleet = await Fleet.fake({ FAKE_LEDGER: ledger.path }, { tools: TOOLS });
  const key = { 'idempotency-key': 'k' };
  expect(code(await fleet.call('crash', { tag: 'once' }, { headers: key }))).toBe('502 child_crashed maybe');
  const answer = await fleet.call('crash', { tag: 'once' }, { headers: { ...key, prefer: 'reconcile' } });
  expect([code(answer), replayed(answer)]).toEqual(['502 child_crashed maybe', true]);
  expect(ledger.executions('once')).toBe(1);
});

it('while Redis is away nobody can be asked, and nothing runs', async () => {
  await using redis = await startTestRedis();
  using world = new World();
  await using fleet = await world.bridge(redis);
  world.order('crash-after', 'once');
  await pay(fleet, 'once');
  await redis.kill();
  expect(code(await ask(fleet, 'once'))).toBe('503 idempotency_store_unavailable no');
  expect(world.paid('once')).toBe(1);
});
