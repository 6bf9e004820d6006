import { describe, expect, test } from 'vitest';
import { CALLING_CODES } from '../../../bridges/twilio/calling-codes.ts';
import { isAllowed, originOf, parseAllowedCountries } from '../../../bridges/twilio/recipient-guard.ts';

describe('whose number it is', () => {
  test.each([
    ['+4915112345678', 'DE'],
    ['+436641234567', 'AT'],
    ['+12025550100', 'US'],
    ['+14165550100', 'CA'],
    ['+18765550100', 'JM'],
    ['+17875550100', 'PR'],
    ['+79161234567', 'RU'],
    ['+77012345678', 'KZ'],
    ['+447911123456', 'GG'],
    ['+447400123456', 'GB'],
    ['+390669812345', 'VA'],
    ['+393331234567', 'IT'],
    ['+35818123456', 'AX'],
    ['+5999123456', 'CW'],
    ['+19005550100', undefined],
    ['+447012345678', undefined],
    ['+88213456789', undefined],
    ['+9991234567', undefined],
  ])('%s is of %s', (number, country) => {
    expect(originOf(number).country).toBe(country);
  });

  test('is said by one country alone for each prefix', () => {
    const prefixes = Object.values(CALLING_CODES).flatMap((codes) => codes.split(' '));
    expect(new Set(prefixes).size).toBe(prefixes.length);
    for (const prefix of prefixes) expect(prefix).toMatch(/^[1-9]\d{0,6}$/);
    for (const country of Object.keys(CALLING_CODES)) expect(country).toMatch(/^[A-Z]{2}$/);
  });
});

describe('what is allowed', () => {
  test.each([
    ['DE, at', '+4915112345678', true],
    ['DE, at', '+436641234567', true],
    ['DE AT', '+41791234567', false],
    ['US', '+12025550100', true],
    ['US', '+14165550100', false],
    ['US', '+18765550100', false],
    ['US', '+19005550100', false],
    ['+1', '+12025550100', true],
    ['+1', '+18765550100', false],
    ['+1876', '+18765550100', true],
    ['+4915', '+4915112345678', true],
    ['+4915', '+4930123456', false],
    ['GB', '+447911123456', false],
    ['GB', '+447012345678', false],
    ['*', '+18765550100', true],
    ['*', '+19005550100', false],
    ['*', '+88213456789', false],
    ['+882', '+88213456789', true],
    ['', '+4915112345678', false],
  ])('%s: %s is %s', (list, number, allowed) => {
    expect(isAllowed(number, parseAllowedCountries(list))).toBe(allowed);
  });

  test.each(['Germany', '49', '+', '+0', 'XX', 'DE;AT'])('%s is no such list', (list) => {
    expect(() => parseAllowedCountries(list)).toThrow(/must be ISO country codes/);
  });
});
