import { describe, expect, it } from 'vitest';
import { MemoryIdempotencyStore } from '#core/store/memory-idempotency-store.ts';
import { StoreUnavailableError } from '#core/store/store-unavailable.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

describe('idempotency records in memory, when there are many', () => {
  it('a record is kept for 24 hours from its claim, by a clock that only grows (P7, D7)', async () => {
    let now = 1_000;
    const store = new MemoryIdempotencyStore({ now: () => now });
    await store.claim('k', 'f', 1_000, 'a');
    now += DAY_MS - 1;
    await store.complete('k', 'a', Buffer.from('{}'));
    expect(await store.claim('k', 'f', 1_000, 'b')).toMatchObject({ state: 'done' });
    now += 1;
    expect(await store.claim('k', 'f', 1_000, 'b')).toEqual({ state: 'claimed' });
  });

  it('a full store refuses new keys, forgets none and answers those it knows', async () => {
    let now = 0;
    const store = new MemoryIdempotencyStore({ maxRecords: 2, now: () => now });
    await store.claim('a', 'f', 1_000, 't');
    now = 500;
    await store.claim('b', 'f', 1_000, 't');
    await expect(store.claim('c', 'f', 1_000, 't')).rejects.toThrow(StoreUnavailableError);
    expect(await store.claim('a', 'f', 1_000, 'u')).toEqual({ state: 'in_flight', leaseLeftMs: 500 });
    expect(await store.complete('a', 't', Buffer.from('{}'))).toBe(true);
    expect(await store.claim('a', 'f', 1_000, 'u')).toMatchObject({ state: 'done' });
    now = DAY_MS;
    expect(await store.claim('c', 'f', 1_000, 't')).toEqual({ state: 'claimed' });
    expect(store.stats.records).toBe(2);
  });

  it('new keys leave room for the outcomes of those in flight', async () => {
    const store = new MemoryIdempotencyStore({ maxBytes: 40_000 });
    await store.claim('a', 'f', 1_000, 't');
    await store.claim('b', 'f', 1_000, 't');
    await store.complete('a', 't', new Uint8Array(30_000));
    await expect(store.claim('c', 'f', 1_000, 't')).rejects.toThrow(StoreUnavailableError);
    expect(await store.complete('b', 't', new Uint8Array(9_000))).toBe(true);
    expect(store.stats.bytes).toBeLessThanOrEqual(40_000);
  });

  it('an outcome for which there is no room is not recorded, and the key stays taken', async () => {
    const store = new MemoryIdempotencyStore({ maxBytes: 40_000 });
    await store.claim('a', 'f', 1_000, 't');
    await expect(store.complete('a', 't', new Uint8Array(40_000))).rejects.toThrow(StoreUnavailableError);
    expect(await store.claim('a', 'f', 1_000, 'u')).toMatchObject({ state: 'in_flight' });
  });

  it('what is released or expired gives its room back', async () => {
    let now = 0;
    const store = new MemoryIdempotencyStore({ now: () => now });
    await store.claim('a', 'f', 1_000, 't');
    await store.release('a', 't');
    await store.claim('b', 'f', 1_000, 't');
    await store.complete('b', 't', new Uint8Array(5_000));
    expect(store.stats.bytes).toBeGreaterThan(5_000);
    now = DAY_MS;
    await store.claim('c', 'f', 1_000, 't');
    await store.release('c', 't');
    expect(store.stats).toEqual({ records: 0, bytes: 0 });
  });

  it('an outcome in place of another takes its room', async () => {
    const store = new MemoryIdempotencyStore({ maxBytes: 40_000 });
    const old = new Uint8Array(30_000);
    await store.claim('a', 'f', 1_000, 't');
    const { bytes } = store.stats;
    await store.complete('a', 't', old);
    expect(await store.takeOver('a', 'f', 1_000, 'longer', old)).toBe(true);
    expect(await store.complete('a', 'longer', new Uint8Array(35_000))).toBe(true);
    expect(store.stats.bytes).toBe(bytes + 35_000 + 'longer'.length - 't'.length);
  });

  it('a small piece does not keep the large buffer it was cut from', async () => {
    const store = new MemoryIdempotencyStore();
    await store.claim('a', 'f', 1_000, 't');
    await store.complete('a', 't', Buffer.alloc(1_000_000).subarray(0, 10));
    const claim = await store.claim('a', 'f', 1_000, 'u');
    expect(claim.state === 'done' && claim.outcome.buffer.byteLength).toBe(10);
  });
});
