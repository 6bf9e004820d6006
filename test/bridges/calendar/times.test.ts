import { describe, expect, test } from 'vitest';
import { recurrenceInput, rruleOf } from '../../../bridges/calendar/recurrence.ts';
import { spanOf } from '../../../bridges/calendar/span.ts';
import { addDays, instantOf, isTimeZone, localOf, withOffset } from '../../../bridges/calendar/times.ts';

describe('time zones', () => {
  test.each(['Europe/Berlin', 'America/Argentina/Buenos_Aires', 'UTC', 'Etc/GMT+3'])('%s is one', (name) => {
    expect(isTimeZone(name)).toBe(true);
  });

  test.each(['Berlin', '+02:00', '', 'Europe/Atlantis', '../etc/passwd', 'a'.repeat(100)])('%j is none', (name) => {
    expect(isTimeZone(name)).toBe(false);
  });

  test.each([
    ['2027-01-15T12:00:00', 'Europe/Berlin', '2027-01-15T11:00:00.000Z'],
    ['2027-07-15T12:00:00', 'Europe/Berlin', '2027-07-15T10:00:00.000Z'],
    ['2027-07-15', 'America/New_York', '2027-07-15T04:00:00.000Z'],
    ['2027-07-15T00:30:00', 'Pacific/Kiritimati', '2027-07-14T10:30:00.000Z'],
    // Just before and after the clocks go forward.
    ['2027-03-28T01:59:59', 'Europe/Berlin', '2027-03-28T00:59:59.000Z'],
    ['2027-03-28T03:00:00', 'Europe/Berlin', '2027-03-28T01:00:00.000Z'],
    // A time that does not exist is taken as if the clocks had not gone forward.
    ['2027-03-28T02:30:00', 'Europe/Berlin', '2027-03-28T01:30:00.000Z'],
    // A time that comes twice is the first of them.
    ['2027-10-31T02:30:00', 'Europe/Berlin', '2027-10-31T00:30:00.000Z'],
    ['2027-10-31T03:00:00', 'Europe/Berlin', '2027-10-31T02:00:00.000Z'],
  ])('%s in %s is %s', (local, zone, instant) => {
    expect(new Date(instantOf(local, zone)).toISOString()).toBe(instant);
  });

  test('an instant is told with the offset of its zone', () => {
    const ms = Date.parse('2027-07-15T10:00:00Z');
    expect(withOffset(ms, 'Europe/Berlin')).toBe('2027-07-15T12:00:00+02:00');
    expect(withOffset(ms, 'America/St_Johns')).toBe('2027-07-15T07:30:00-02:30');
    expect(withOffset(ms, 'UTC')).toBe('2027-07-15T10:00:00Z');
    expect(localOf(ms, 'Asia/Kathmandu')).toBe('2027-07-15T15:45:00');
    expect(addDays('2027-02-28', 1)).toBe('2027-03-01');
  });
});

describe('a span', () => {
  test('has seconds, which Google insists on', () => {
    expect(spanOf({ start: '2027-06-12T15:00+02:00', end: '2027-06-12T16:00:30+02:00' })).toMatchObject({
      start: { dateTime: '2027-06-12T15:00:00+02:00' },
      end: { dateTime: '2027-06-12T16:00:30+02:00' },
    });
  });

  test('over a change of clocks is as long as it really is', () => {
    const { startMs, endMs } = spanOf({
      start: '2027-10-30T22:00',
      end: '2027-10-31T04:00',
      timeZone: 'Europe/Berlin',
    });
    expect(endMs - startMs).toBe(7 * 3_600_000);
  });

  test('of more than a year is refused', () => {
    expect(() => spanOf({ start: '2027-01-01', end: '2028-06-01' })).toThrow('/end: must be at most 366 days');
  });
});

describe('a rule', () => {
  const days = spanOf({ start: '2027-06-12', end: '2027-06-13' });
  const times = spanOf({ start: '2027-06-12T15:00', end: '2027-06-12T16:00', timeZone: 'America/New_York' });

  test.each([
    [{ frequency: 'daily', count: 3 }, days, 'RRULE:FREQ=DAILY;COUNT=3'],
    [
      { frequency: 'weekly', interval: 2, weekdays: ['SA', 'SU', 'SA'], count: 4 },
      days,
      'RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU;COUNT=4',
    ],
    [{ frequency: 'yearly', until: '2030-06-12' }, days, 'RRULE:FREQ=YEARLY;UNTIL=20300612'],
    [{ frequency: 'monthly', until: '2027-12-12' }, times, 'RRULE:FREQ=MONTHLY;UNTIL=20271213T045959Z'],
  ] as const)('%j is %3$s', (rule, span, line) => {
    expect(rruleOf(recurrenceInput.parse(rule), span, 'America/New_York')).toBe(line);
  });

  test('without an end, or with two, or with one before its start is refused', () => {
    expect(() => rruleOf(recurrenceInput.parse({ frequency: 'daily' }), days, undefined)).toThrow('exactly one');
    const both = recurrenceInput.parse({ frequency: 'daily', count: 1, until: '2028-01-01' });
    expect(() => rruleOf(both, days, undefined)).toThrow('exactly one');
    const early = recurrenceInput.parse({ frequency: 'daily', until: '2027-06-01' });
    expect(() => rruleOf(early, days, undefined)).toThrow('must not be before start');
  });
});
