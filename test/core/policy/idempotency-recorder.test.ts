import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Recorder, type RecorderOptions, type Settlement } from '#core/policy/idempotency-recorder.ts';
import { MemoryIdempotencyStore } from '#core/store/memory-idempotency-store.ts';
import { FaultyStore } from './idempotency-faults.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function setup(options: RecorderOptions = {}) {
  const memory = new MemoryIdempotencyStore();
  const store = new FaultyStore(memory);
  const recorder = new Recorder(store, options);
  const known: string[] = [];
  const settlement = async (key: string, bytes = 1, more: Partial<Settlement> = {}): Promise<Settlement> => {
    await memory.claim(key, 'f', 100_000, `token of ${key}`);
    known.push(key);
    return { key, token: `token of ${key}`, outcome: new Uint8Array(bytes), claimed: true, expiresAtMs: 1e9, ...more };
  };
  /** What each key stands for now; a free one is claimed by asking. */
  const states = async () =>
    Object.fromEntries(
      await Promise.all(known.map(async (key) => [key, (await memory.claim(key, 'f', 1, 'who asks')).state])),
    );
  return { memory, store, recorder, settlement, states };
}

describe('while the store is there', () => {
  it('records at once and leaves no timer', async () => {
    const { recorder, settlement, states } = await setup();
    await recorder.settle(await settlement('a'));
    expect(await states()).toEqual({ a: 'done' });
    expect(recorder.stats).toMatchObject({ recorded: 1, recordedLate: 0, pending: 0, dropped: 0 });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('counts a record that the store no longer has', async () => {
    const { memory, recorder, settlement } = await setup();
    const settled = await settlement('a');
    await memory.release('a', settled.token);
    await recorder.settle(settled);
    expect(recorder.stats).toMatchObject({ recorded: 0, orphaned: 1, pending: 0 });
    expect(memory.stats.records).toBe(0);
  });

  it('gives up what the store refuses for another reason than being away', async () => {
    const { store, recorder, settlement } = await setup();
    vi.spyOn(store, 'complete').mockRejectedValue(new TypeError('a bug'));
    await recorder.settle(await settlement('a'));
    expect(recorder.stats).toMatchObject({ dropped: 1, pending: 0 });
  });
});

describe('while the store is away', () => {
  it('tries again with growing pauses, and records all once it is back', async () => {
    const { store, recorder, settlement, states } = await setup();
    store.state = 'away';
    await recorder.settle(await settlement('a', 10));
    await recorder.settle(await settlement('b', 20));
    await recorder.settle(await settlement('c', 0, { outcome: undefined }));
    expect(recorder.stats).toMatchObject({ pending: 3, pendingBytes: 30 });
    const attemptsBefore = store.asked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    const attempts = store.asked.length - attemptsBefore;
    expect(attempts).toBeGreaterThan(20);
    expect(attempts).toBeLessThan(40);
    store.state = 'up';
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await states()).toEqual({ a: 'done', b: 'done', c: 'claimed' });
    expect(recorder.stats).toMatchObject({ recorded: 2, recordedLate: 2, released: 1, pending: 0, pendingBytes: 0 });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('records again what the store took without saying so', async () => {
    const { store, recorder, settlement, states } = await setup();
    store.state = 'mute';
    await recorder.settle(await settlement('a'));
    store.state = 'up';
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await states()).toEqual({ a: 'done' });
    expect(recorder.stats).toMatchObject({ pending: 0, orphaned: 0, dropped: 0 });
  });

  it('gives up the oldest when there are too many', async () => {
    const { store, recorder, settlement, states } = await setup({ maxPending: 3 });
    store.state = 'away';
    for (const key of ['a', 'b', 'c', 'd', 'e']) await recorder.settle(await settlement(key));
    expect(recorder.stats).toMatchObject({ pending: 3, pendingBytes: 3, dropped: 2 });
    store.state = 'up';
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await states()).toEqual({ a: 'in_flight', b: 'in_flight', c: 'done', d: 'done', e: 'done' });
  });

  it('gives up the oldest when they are too large together', async () => {
    const { store, recorder, settlement } = await setup({ maxPendingBytes: 100 });
    store.state = 'away';
    for (const key of ['a', 'b', 'c']) await recorder.settle(await settlement(key, 45));
    expect(recorder.stats).toMatchObject({ pending: 2, pendingBytes: 90, dropped: 1 });
    await recorder.close();
  });

  it('of doubtful claims it keeps the first, and none of them costs a record its place', async () => {
    const { store, recorder, settlement, states } = await setup({ maxPending: 2 });
    store.state = 'away';
    await recorder.settle(await settlement('kept'));
    for (const key of ['a', 'b', 'c']) {
      await recorder.settle(await settlement(key, 0, { outcome: undefined, claimed: false }));
    }
    expect(recorder.stats).toMatchObject({ pending: 3, dropped: 0 });
    store.state = 'up';
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await states()).toEqual({ kept: 'done', a: 'claimed', b: 'claimed', c: 'in_flight' });
  });

  it('begins with short pauses again after it was back', async () => {
    const { store, recorder, settlement, states } = await setup();
    store.state = 'away';
    await recorder.settle(await settlement('a'));
    await vi.advanceTimersByTimeAsync(60_000);
    store.state = 'up';
    await vi.advanceTimersByTimeAsync(2_000);
    store.state = 'away';
    await recorder.settle(await settlement('b'));
    store.state = 'up';
    await vi.advanceTimersByTimeAsync(100);
    expect(await states()).toEqual({ a: 'done', b: 'done' });
  });

  it('tries one after the other, never one twice at a time', async () => {
    const { store, recorder, settlement } = await setup();
    store.state = 'away';
    await recorder.settle(await settlement('a'));
    store.state = 'slow';
    await vi.advanceTimersByTimeAsync(200);
    store.state = 'away';
    await recorder.settle(await settlement('b'));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(store.asked).toEqual(['complete', 'complete', 'complete']);
    store.resume();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(recorder.stats).toMatchObject({ recorded: 2, recordedLate: 2, pending: 0 });
  });

  it('gives up what the store refuses for another reason once it is back', async () => {
    const { store, recorder, settlement } = await setup();
    store.state = 'away';
    await recorder.settle(await settlement('a'));
    store.state = 'up';
    vi.spyOn(store, 'complete').mockRejectedValue(new TypeError('a bug'));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(recorder.stats).toMatchObject({ dropped: 1, pending: 0, pendingBytes: 0 });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gives up a record when the store would have forgotten it', async () => {
    const { store, recorder, settlement } = await setup({ now: () => Date.now() });
    store.state = 'away';
    await recorder.settle(await settlement('a', 1, { expiresAtMs: Date.now() + 10_000 }));
    await vi.advanceTimersByTimeAsync(8_000);
    expect(recorder.stats.pending).toBe(1);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(recorder.stats).toMatchObject({ pending: 0, dropped: 1 });
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('close', () => {
  it('tries everything that waits once more', async () => {
    const { store, recorder, settlement, states } = await setup();
    store.state = 'away';
    for (const key of ['a', 'b']) await recorder.settle(await settlement(key));
    store.state = 'up';
    await recorder.close();
    expect(await states()).toEqual({ a: 'done', b: 'done' });
    expect(recorder.stats).toMatchObject({ recorded: 2, pending: 0, dropped: 0 });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits for a first attempt that is on its way', async () => {
    const { store, recorder, settlement } = await setup();
    store.state = 'slow';
    void recorder.settle(await settlement('a'));
    const closed = vi.fn();
    const closing = recorder.close().then(closed);
    await vi.advanceTimersByTimeAsync(100);
    expect(closed).not.toHaveBeenCalled();
    store.resume();
    await closing;
    expect(recorder.stats).toMatchObject({ recorded: 1, dropped: 0 });
  });

  it('waits for what is on its way, a repeat of it included', async () => {
    const { store, recorder, settlement } = await setup();
    store.state = 'away';
    await recorder.settle(await settlement('a'));
    store.state = 'slow';
    await vi.advanceTimersByTimeAsync(200);
    void recorder.settle(await settlement('b'));
    const closed = vi.fn();
    const closing = recorder.close().then(closed);
    await vi.advanceTimersByTimeAsync(100);
    expect(closed).not.toHaveBeenCalled();
    expect(recorder.stats.pending).toBe(2);
    store.resume();
    await closing;
    expect(store.asked.filter((name) => name === 'complete')).toHaveLength(3);
    expect(recorder.stats).toMatchObject({ recorded: 2, recordedLate: 1, pending: 0, dropped: 0 });
  });

  it('waits 500 ms and no longer for a store that does not answer, and says what was lost', async () => {
    const { store, recorder, settlement } = await setup();
    store.state = 'away';
    await recorder.settle(await settlement('a'));
    await recorder.settle(await settlement('b', 0, { outcome: undefined, claimed: false }));
    store.state = 'slow';
    let closed = false;
    void recorder.close().then(() => {
      closed = true;
    });
    await vi.advanceTimersByTimeAsync(499);
    expect(closed).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(closed).toBe(true);
    expect(recorder.stats).toMatchObject({ pending: 0, pendingBytes: 0, dropped: 1 });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('keeps nothing afterwards, and may be called twice', async () => {
    const { store, recorder, settlement } = await setup();
    expect(recorder.close()).toBe(recorder.close());
    await recorder.close();
    store.state = 'away';
    await recorder.settle(await settlement('a'));
    expect(recorder.stats).toMatchObject({ pending: 0, dropped: 1 });
    expect(vi.getTimerCount()).toBe(0);
  });
});
