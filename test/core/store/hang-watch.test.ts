import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HangWatch } from '#core/store/hang-watch.ts';

describe('the hang watch', () => {
  let hangs: number;
  let watch: HangWatch;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
    hangs = 0;
    watch = new HangWatch(200, () => hangs++);
    watch.heard();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('says that a peer hangs which owes an answer and sends nothing', async () => {
    watch.begin(0);
    await vi.advanceTimersByTimeAsync(198);
    expect(hangs).toBe(0);
    await vi.advanceTimersByTimeAsync(5);
    expect(hangs).toBe(1);
  });

  it('leaves a peer alone that owes nothing', async () => {
    watch.end(watch.begin(0));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(hangs).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('counts the silence, not the age of what waits', async () => {
    watch.begin(0);
    await vi.advanceTimersByTimeAsync(150);
    watch.heard();
    await vi.advanceTimersByTimeAsync(190);
    expect(hangs).toBe(0);
    await vi.advanceTimersByTimeAsync(20);
    expect(hangs).toBe(1);
  });

  it('looks at the socket once more before it believes a timer', async () => {
    const watched = watch.begin(0);
    setTimeout(() => watch.end(watched), 200); // read in the turn in which the timer fires
    await vi.advanceTimersByTimeAsync(1_000);
    expect(hangs).toBe(0);
  });

  it('gives a peer up that sends something for ever and not what it owes', async () => {
    watch.begin(0);
    for (let turn = 0; turn < 30; turn++) {
      await vi.advanceTimersByTimeAsync(100);
      watch.heard();
    }
    expect(hangs).toBe(1);
  });

  it('waits longer while a long value is on its way, for whatever comes after it too', async () => {
    const long = watch.begin(8 * 1024 * 1024);
    const short = watch.begin(0);
    await vi.advanceTimersByTimeAsync(900);
    expect(hangs).toBe(0);
    watch.end(long);
    watch.end(short);
  });

  it('is as strict as ever once the long value has arrived', async () => {
    const long = watch.begin(8 * 1024 * 1024);
    await vi.advanceTimersByTimeAsync(250);
    watch.end(long);
    watch.begin(0);
    await vi.advanceTimersByTimeAsync(203);
    expect(hangs).toBe(1);
  });
});
