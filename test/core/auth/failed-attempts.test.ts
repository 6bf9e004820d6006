import { describe, expect, it } from 'vitest';
import { FailedAttempts, networkOf } from '#core/auth/failed-attempts.ts';

function attempts(options: { max?: number; maxAddresses?: number } = {}) {
  const clock = { now: 1_000 };
  const limited: string[] = [];
  const failed = new FailedAttempts({
    ...options,
    now: () => clock.now,
    onLimited: (address, failures) => limited.push(`${address} ${failures}`),
  });
  const fail = (address: string, times: number): void => {
    for (let i = 0; i < times; i += 1) failed.count(address);
  };
  return { clock, limited, failed, fail };
}

describe('failed attempts of an address', () => {
  it('are limited to 20 within the minute that begins with the first', () => {
    const { clock, failed, fail, limited } = attempts();
    fail('192.0.2.1', 19);
    expect(failed.limitedForMs('192.0.2.1')).toBe(0);
    clock.now += 20_000;
    fail('192.0.2.1', 1);
    expect(failed.limitedForMs('192.0.2.1')).toBe(40_000);
    expect(limited).toEqual(['192.0.2.1 20']);
    clock.now += 39_999;
    expect(failed.limitedForMs('192.0.2.1')).toBe(1);
    clock.now += 1;
    expect(failed.limitedForMs('192.0.2.1')).toBe(0);
  });

  it('still have 20 tries a second while it is limited, for who shares the address', () => {
    const { clock, failed, fail } = attempts({ max: 1 });
    expect(failed.spare('192.0.2.1')).toBe(true);
    fail('192.0.2.1', 1);
    const tries = (): number => Array.from({ length: 50 }, () => failed.spare('192.0.2.1')).filter(Boolean).length;
    expect(tries()).toBe(20);
    clock.now += 999;
    expect(tries()).toBe(0);
    clock.now += 1;
    expect(tries()).toBe(20);
    expect(failed.spare('192.0.2.2')).toBe(true);
  });

  it('begin anew after the minute', () => {
    const { clock, failed, fail, limited } = attempts({ max: 2 });
    fail('192.0.2.1', 2);
    clock.now += 60_000;
    fail('192.0.2.1', 1);
    expect(failed.limitedForMs('192.0.2.1')).toBe(0);
    fail('192.0.2.1', 1);
    expect(failed.limitedForMs('192.0.2.1')).toBe(60_000);
    expect(limited).toHaveLength(2);
  });

  it('say nothing of another address', () => {
    const { failed, fail } = attempts({ max: 2 });
    fail('192.0.2.1', 2);
    expect(failed.limitedForMs('192.0.2.2')).toBe(0);
    expect(failed.limitedForMs('2001:db8::1')).toBe(0);
  });

  it('are counted for a whole /64 of IPv6', () => {
    const { failed, fail } = attempts({ max: 2 });
    fail('2001:db8:0:1::1', 1);
    fail('2001:db8:0:1:ffff::9', 1);
    expect(failed.limitedForMs('2001:db8:0:1:a:b:c:d')).toBeGreaterThan(0);
    expect(failed.limitedForMs('2001:db8:0:2::1')).toBe(0);
  });

  it('are forgotten for those whose minute is over, and for the oldest where there are too many', () => {
    const { clock, failed, fail } = attempts({ max: 1, maxAddresses: 3 });
    for (const address of ['a', 'b', 'c', 'd']) fail(address, 1);
    expect(failed.addresses).toBe(3);
    expect(failed.limitedForMs('a')).toBe(0);
    expect(failed.limitedForMs('b')).toBeGreaterThan(0);
    clock.now += 60_000;
    fail('e', 1);
    expect(failed.addresses).toBe(1);
  });
});

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::', '2001:db8:0:0::/64'],
  ['2001:0DB8::1', '2001:db8:0:0::/64'],
  ['1:2:3::4:5:6', '1:2:3:0::/64'],
  ['64:ff9b::192.0.2.33', '64:ff9b:0:0::/64'],
  ['', ''],
])('the address %s counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
