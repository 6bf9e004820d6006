import { describe, expect, it } from 'vitest';
import { Respawn } from '#core/pool/respawn.ts';

describe('the back-off', () => {
  it('doubles from 0.1 s to 30 s', () => {
    const respawn = new Respawn(() => 0);
    const delays = Array.from({ length: 11 }, () => respawn.startFailed(0));
    expect(delays).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
  });

  it('is spread upward only, by a quarter at most', () => {
    for (const chance of [0, 0.5, 0.999]) {
      const delay = new Respawn(() => chance).startFailed(0);
      expect(delay).toBe(100 * (1 + chance / 4));
    }
  });

  it('is never shortened by a later, smaller failure', () => {
    const respawn = new Respawn(() => 0);
    for (let index = 0; index < 8; index++) respawn.startFailed(0);
    const before = respawn.notBeforeMs;
    respawn.died(0, true);
    expect(respawn.notBeforeMs).toBe(before);
    expect(respawn.failures).toBe(1);
  });

  it('holds starts hopeless after three in a row, not after deaths, and not after one that succeeded', () => {
    const respawn = new Respawn(() => 0);
    for (let index = 0; index < 5; index++) respawn.died(0, false);
    expect(respawn.hopeless).toBe(false);
    respawn.startFailed(0);
    respawn.startFailed(0);
    respawn.started();
    respawn.startFailed(0);
    expect(respawn.hopeless).toBe(false);
    respawn.startFailed(0);
    respawn.startFailed(0);
    expect(respawn.hopeless).toBe(true);
  });
});
