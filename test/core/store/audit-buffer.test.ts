import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AuditBuffer, type AuditBufferOptions, type AuditEvent, type AuditWriter } from '#core/store/audit-buffer.ts';
import type { AuditEntry } from '#core/store/audit-store.ts';
import { StoreUnavailableError } from '#core/store/store-unavailable.ts';
import { auditRow } from '../../support/audit-rows.ts';

/** A table that can be away, can hang, and refuses what it is told to. */
class ScriptedWriter implements AuditWriter {
  readonly batches: (readonly AuditEntry[])[] = [];
  readonly numbers: number[] = [];
  tries = 0;
  closed = 0;
  away: Error | undefined;
  hanging = false;
  refuses: (entry: AuditEntry) => boolean = () => false;
  #end: ((error: Error) => void) | undefined;

  async write(entries: readonly AuditEntry[], firstNumber: number) {
    this.tries += 1;
    if (this.hanging) await new Promise((_, reject) => (this.#end = reject));
    if (this.away !== undefined) throw this.away;
    const refused = entries.filter(this.refuses);
    if (entries.length > 0) {
      this.batches.push(entries);
      this.numbers.push(firstNumber);
    }
    return refused.map((entry) => ({ entry, reason: 'too large' }));
  }

  async close() {
    this.closed += 1;
    this.#end?.(new StoreUnavailableError('closed'));
  }

  get entries(): readonly AuditEntry[] {
    return this.batches.flat();
  }
}

const AWAY = new StoreUnavailableError('the database cannot be reached (ECONNREFUSED)');

let writer: ScriptedWriter;
let events: AuditEvent[];

function open(options: AuditBufferOptions = {}): AuditBuffer {
  return new AuditBuffer(writer, { on: (event) => events.push(event), ...options });
}

function fill(buffer: AuditBuffer, rows: number, from = 0): void {
  for (let i = from; i < from + rows; i++) buffer.record(auditRow({ requestId: `r${i}` }));
}

const ids = (entries: readonly AuditEntry[]) =>
  entries.map((entry) => ('requestId' in entry ? entry.requestId : 'gap'));

beforeEach(() => {
  vi.useFakeTimers();
  writer = new ScriptedWriter();
  events = [];
});

afterEach(() => {
  vi.useRealTimers();
});

describe('batches', () => {
  it('rows wait for others, and are written in the order they came', async () => {
    const buffer = open({ flushMs: 500 });
    fill(buffer, 3);
    await vi.advanceTimersByTimeAsync(499);
    expect(writer.tries).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(ids(writer.entries)).toEqual(['r0', 'r1', 'r2']);
    expect(buffer.stats).toEqual({ buffered: 0, written: 3, dropped: 0, away: false });
    fill(buffer, 1, 3);
    await vi.advanceTimersByTimeAsync(500);
    expect(writer.numbers).toEqual([0, 3]);
  });

  it('a full batch does not wait, and record itself writes nothing', async () => {
    const buffer = open({ maxBatch: 4 });
    fill(buffer, 10);
    expect(writer.tries).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(writer.batches.map((batch) => batch.length)).toEqual([4, 4]);
    await vi.advanceTimersByTimeAsync(500);
    expect(writer.batches.map((batch) => batch.length)).toEqual([4, 4, 2]);
  });

  it('without rows nothing is written but at the start', async () => {
    open().start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(writer.tries).toBe(1);
  });
});

describe('D5 the database is away', () => {
  it('rows wait, it is tried again with growing pauses of at most 5 s, and told once each way', async () => {
    const buffer = open({ flushMs: 500, retryMs: 250 });
    writer.away = AWAY;
    fill(buffer, 2);
    await vi.advanceTimersByTimeAsync(500);
    const pauses: number[] = [];
    for (let tries = 1, sinceMs = Date.now(); tries < 10; ) {
      await vi.advanceTimersByTimeAsync(10);
      if (writer.tries === tries) continue;
      pauses.push(Date.now() - sinceMs);
      sinceMs = Date.now();
      tries = writer.tries;
    }
    for (const [i, pause] of pauses.entries()) {
      const expected = Math.min(5_000, 250 * 2 ** i);
      expect(pause).toBeGreaterThanOrEqual(expected * 0.8 - 10);
      expect(pause).toBeLessThanOrEqual(expected + 10);
    }
    expect(buffer.stats).toEqual({ buffered: 2, written: 0, dropped: 0, away: true });
    expect(events).toEqual([{ event: 'audit:away', reason: AWAY.message }]);
    writer.away = undefined;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(ids(writer.entries)).toEqual(['r0', 'r1']);
    expect(buffer.stats).toEqual({ buffered: 0, written: 2, dropped: 0, away: false });
    expect(events.slice(1)).toEqual([{ event: 'audit:back', awayMs: expect.any(Number), buffered: 0 }]);
  });

  it('a database that is away at the start is tried until it is there, without a row', async () => {
    writer.away = AWAY;
    const buffer = open();
    buffer.start();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(buffer.stats.away).toBe(true);
    expect(writer.tries).toBeGreaterThan(4);
    writer.away = undefined;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(buffer.stats.away).toBe(false);
  });

  it('no number of rows makes it be tried sooner', async () => {
    const buffer = open({ maxBatch: 5, retryMs: 5_000 });
    writer.away = AWAY;
    fill(buffer, 5);
    await vi.advanceTimersByTimeAsync(1);
    fill(buffer, 100);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(writer.tries).toBe(1);
  });

  it('a batch that is tried again keeps its numbers', async () => {
    const buffer = open({ maxBatch: 2 });
    fill(buffer, 2);
    await vi.advanceTimersByTimeAsync(1);
    writer.away = AWAY;
    fill(buffer, 2, 2);
    await vi.advanceTimersByTimeAsync(10_000);
    writer.away = undefined;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(writer.numbers).toEqual([0, 2]);
  });

  it('what an unexpected error says is not repeated', async () => {
    const buffer = open();
    writer.away = new RangeError('postgres://user:canary@host');
    fill(buffer, 1);
    await vi.advanceTimersByTimeAsync(500);
    expect(events).toEqual([{ event: 'audit:away', reason: 'an error of ours: RangeError' }]);
  });
});

describe('D5 the buffer is bounded', () => {
  it('the new rows are dropped, and once there is room a row of its own tells how many, from when to when', async () => {
    vi.setSystemTime(1_000);
    const buffer = open({ maxRows: 10, maxBatch: 5 });
    writer.away = AWAY;
    fill(buffer, 10);
    await vi.advanceTimersByTimeAsync(9_000);
    fill(buffer, 3, 10);
    await vi.advanceTimersByTimeAsync(20_000);
    fill(buffer, 4, 13);
    expect(buffer.stats).toEqual({ buffered: 10, written: 0, dropped: 7, away: true });
    expect(events.map(({ event }) => event)).toEqual(['audit:away', 'audit:full']);
    writer.away = undefined;
    await vi.advanceTimersByTimeAsync(6_000);
    expect(ids(writer.entries)).toEqual(['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'gap']);
    expect(writer.entries.at(-1)).toEqual({
      at: new Date(10_000),
      outcome: 'audit_dropped',
      dropped: 7,
      durationMs: 20_000,
    });
    expect(events).toContainEqual({ event: 'audit:dropped', rows: 7, from: new Date(10_000), to: new Date(30_000) });
    // What comes afterwards is a new story.
    fill(buffer, 1, 20);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(ids(writer.entries).slice(11)).toEqual(['r20']);
    expect(buffer.stats).toMatchObject({ written: 12, dropped: 7 });
  });

  it('long names count as what they take', async () => {
    const buffer = open({ maxBytes: 10_000 });
    writer.away = AWAY;
    for (let i = 0; i < 10; i++) buffer.record(auditRow({ principal: 'x'.repeat(2_000) }));
    expect(buffer.stats).toMatchObject({ buffered: 4, dropped: 6 });
    writer.away = undefined;
    await vi.advanceTimersByTimeAsync(1_000);
    for (let i = 0; i < 10; i++) buffer.record(auditRow({ principal: 'x'.repeat(2_000) }));
    expect(buffer.stats).toMatchObject({ written: 5, buffered: 4, dropped: 12 });
  });

  it('a row that the database never takes is dropped and told; the others of its batch are written', async () => {
    const buffer = open();
    writer.refuses = (entry) => 'requestId' in entry && entry.requestId === 'r1';
    fill(buffer, 3);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(events[0]).toEqual({ event: 'audit:refused', rows: 1, reason: 'too large' });
    expect(writer.entries.at(-1)).toMatchObject({ outcome: 'audit_dropped', dropped: 1 });
    expect(buffer.stats).toMatchObject({ buffered: 0, written: 3, dropped: 1 });
  });

  it('a database that takes not even the row that tells of the dropped ones is left in peace', async () => {
    const buffer = open();
    writer.refuses = () => true;
    fill(buffer, 1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(writer.tries).toBe(2);
    expect(buffer.stats).toMatchObject({ buffered: 0, written: 0, dropped: 1 });
  });
});

describe('the end', () => {
  it('what waits is written at once, in as many batches as it takes', async () => {
    const buffer = open({ maxBatch: 3 });
    fill(buffer, 7);
    await buffer.close(1_000);
    expect(writer.entries).toHaveLength(7);
    expect(writer.closed).toBe(1);
    expect(events).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a database that comes back within the budget gets its rows', async () => {
    const buffer = open();
    writer.away = AWAY;
    fill(buffer, 2);
    const closed = buffer.close(2_000);
    await vi.advanceTimersByTimeAsync(1_000);
    writer.away = undefined;
    await vi.advanceTimersByTimeAsync(500);
    await closed;
    expect(ids(writer.entries)).toEqual(['r0', 'r1']);
  });

  it('a database that stays away costs the budget and no more, and what is lost is told', async () => {
    const buffer = open({ maxRows: 5 });
    writer.away = AWAY;
    fill(buffer, 8);
    const closed = buffer.close(2_000);
    await vi.advanceTimersByTimeAsync(2_000);
    await closed;
    expect(events.at(-1)).toEqual({ event: 'audit:lost', rows: 8 });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a database that hangs costs the budget and no more', async () => {
    const buffer = open();
    writer.hanging = true;
    fill(buffer, 2);
    await vi.advanceTimersByTimeAsync(600);
    const closed = buffer.close(2_000);
    await vi.advanceTimersByTimeAsync(2_000);
    await closed;
    expect(writer.closed).toBe(1);
    expect(events).toEqual([{ event: 'audit:lost', rows: 2 }]);
    buffer.record(auditRow());
    expect(buffer.stats).toMatchObject({ buffered: 2, dropped: 1 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(writer.tries).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('what succeeds only afterwards stays lost, as it was told', async () => {
    const buffer = open();
    const { promise, resolve } = Promise.withResolvers<never[]>();
    writer.write = () => promise;
    fill(buffer, 2);
    const closed = buffer.close(100);
    await vi.advanceTimersByTimeAsync(100);
    await closed;
    resolve([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(buffer.stats).toMatchObject({ buffered: 2, written: 0 });
    expect(events).toEqual([{ event: 'audit:lost', rows: 2 }]);
  });

  it('rows that were dropped and could not be told of are lost rows too', async () => {
    const buffer = open({ maxRows: 5 });
    fill(buffer, 8);
    writer.refuses = () => {
      // It takes the five that waited, and then no more.
      writer.away = AWAY;
      return false;
    };
    const closed = buffer.close(1_000);
    await vi.advanceTimersByTimeAsync(1_000);
    await closed;
    expect(writer.entries).toHaveLength(5);
    expect(events.at(-1)).toEqual({ event: 'audit:lost', rows: 3 });
  });

  it('without a row there is nothing to wait for, even where the database is away', async () => {
    const buffer = open();
    writer.away = AWAY;
    buffer.start();
    await vi.advanceTimersByTimeAsync(3_000);
    await buffer.close(60_000);
    expect(writer.closed).toBe(1);
  });

  it('is one end, however often it is asked for', async () => {
    const buffer = open();
    fill(buffer, 1);
    await Promise.all([buffer.close(1_000), buffer.close(1_000)]);
    await buffer.close(1_000);
    expect(writer.closed).toBe(1);
    expect(writer.tries).toBe(1);
  });
});
