import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Alarm } from '#core/pool/alarm.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the alarm', () => {
  it('rings once, at the earliest of the wished times', () => {
    const rung: number[] = [];
    const from = performance.now();
    const alarm = new Alarm(() => rung.push(performance.now() - from));
    alarm.ringAt(from + 500, from);
    alarm.ringAt(from + 100, from);
    alarm.ringAt(from + 300, from);
    vi.advanceTimersByTime(1_000);
    expect(rung).toEqual([100]);
    expect(alarm.set).toBe(false);
  });

  it('does not ring once it is cleared', () => {
    const ring = vi.fn();
    const alarm = new Alarm(ring);
    alarm.ringAt(performance.now() + 100, performance.now());
    alarm.clear();
    vi.advanceTimersByTime(1_000);
    expect(ring).not.toHaveBeenCalled();
  });
});
