import type { calendar_v3 } from '@googleapis/calendar';
import { addDays } from '../times.ts';
import { msOf, shiftedTo, stampOf, wallClock } from './event-times.ts';
import { invalid } from './refusal.ts';

type Event = calendar_v3.Schema$Event;

const DAYS = ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA'];
/** Google ends a series there too, or sooner. */
const MAX_OCCURRENCES = 730;
const MAX_STEPS = 20_000;

interface Rule {
  readonly frequency: string;
  readonly interval: number;
  readonly weekdays: readonly number[];
  readonly count: number;
  /** A day, or an instant in ms; undefined where it has no end. */
  readonly until: { readonly day: string } | { readonly ms: number } | undefined;
}

function whole(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,4}$/.test(text)) throw invalid('Invalid recurrence rule.');
  return Number(text);
}

function untilOf(text: string | undefined): Rule['until'] {
  if (text === undefined) return undefined;
  const [, year, month, day, time] = /^(\d{4})(\d{2})(\d{2})(?:T(\d{6})Z)?$/.exec(text) ?? [];
  if (year === undefined) throw invalid('Invalid recurrence rule.');
  const date = `${year}-${month}-${day}`;
  if (time === undefined) return { day: date };
  return { ms: Date.parse(`${date}T${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4)}Z`) };
}

/** Reads the simple rules that this stand-in expands. @throws Refusal */
export function ruleOf(recurrence: readonly string[]): Rule {
  const [line = '', ...others] = recurrence;
  if (others.length > 0 || !line.startsWith('RRULE:')) throw invalid('Invalid recurrence rule.');
  const parts = Object.fromEntries(
    line
      .slice('RRULE:'.length)
      .split(';')
      .map((part) => part.split('=', 2)),
  );
  const { FREQ: frequency = '', INTERVAL, BYDAY, COUNT, UNTIL, WKST: _, ...unknown } = parts as Record<string, string>;
  if (!['DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'].includes(frequency) || Object.keys(unknown).length > 0) {
    throw invalid('Invalid recurrence rule.');
  }
  const weekdays = BYDAY === undefined ? [] : BYDAY.split(',').map((day) => DAYS.indexOf(day));
  if (weekdays.includes(-1)) throw invalid('Invalid recurrence rule.');
  return {
    frequency,
    interval: whole(INTERVAL, 1),
    weekdays,
    count: Math.min(whole(COUNT, MAX_OCCURRENCES), MAX_OCCURRENCES),
    until: untilOf(UNTIL),
  };
}

function weekdayOf(date: string): number {
  return new Date(`${date}T00:00:00Z`).getUTCDay();
}

function addMonths(date: string, months: number): string | undefined {
  const [year = 0, month = 1, day = 1] = date.split('-').map(Number);
  const moved = new Date(Date.UTC(year, month - 1 + months, day));
  // RFC 5545: a month without this day is left out.
  return moved.getUTCDate() === day ? moved.toISOString().slice(0, 10) : undefined;
}

/** The days on which a series begins an occurrence, without an end. */
function* daysOf(first: string, { frequency, interval, weekdays }: Rule): Generator<string> {
  for (let step = 0; step < MAX_STEPS; step++) {
    switch (frequency) {
      case 'DAILY': {
        const day = addDays(first, step * interval);
        if (weekdays.length === 0 || weekdays.includes(weekdayOf(day))) yield day;
        break;
      }
      case 'WEEKLY': {
        const monday = addDays(first, -((weekdayOf(first) + 6) % 7) + step * 7 * interval);
        const wanted = weekdays.length === 0 ? [weekdayOf(first)] : weekdays;
        for (let offset = 0; offset < 7; offset++) {
          const day = addDays(monday, offset);
          if (day >= first && wanted.includes(weekdayOf(day))) yield day;
        }
        break;
      }
      default: {
        const day = addMonths(first, step * interval * (frequency === 'YEARLY' ? 12 : 1));
        if (day !== undefined) yield day;
      }
    }
  }
}

/** The occurrences of a series that begin before `untilMs`, as Google shows them. */
export function* occurrences(series: Event, calendarZone: string, untilMs: number): Generator<Event> {
  const { recurrence, start = {}, end = {}, ...rest } = series;
  const rule = ruleOf(recurrence ?? []);
  const first = wallClock(start, calendarZone);
  const lengthMs = msOf(end, calendarZone, 'end') - msOf(start, calendarZone, 'start');
  const lengthDays = Math.round((Date.parse(end.date ?? '') - Date.parse(start.date ?? '')) / 86_400_000);
  let count = 0;
  for (const day of daysOf(first.slice(0, 10), rule)) {
    if (count >= rule.count) return;
    const begin = shiftedTo(start, `${day}${first.slice(10)}`, calendarZone);
    const beginMs = msOf(begin, calendarZone, 'start');
    if (beginMs >= untilMs) return;
    if (rule.until !== undefined && ('day' in rule.until ? day > rule.until.day : beginMs > rule.until.ms)) return;
    count++;
    const id = `${series.id}_${stampOf(begin)}`;
    yield {
      ...rest,
      id,
      recurringEventId: series.id ?? null,
      originalStartTime: begin,
      start: begin,
      end:
        typeof end.date === 'string'
          ? { date: addDays(day, lengthDays) }
          : endAfter(begin, lengthMs, calendarZone, end.timeZone ?? calendarZone),
      htmlLink: (series.htmlLink ?? '').replace(series.id ?? '', id),
    };
  }
}

function endAfter(begin: calendar_v3.Schema$EventDateTime, lengthMs: number, calendarZone: string, timeZone: string) {
  const ms = Date.parse(begin.dateTime ?? '') + lengthMs;
  return {
    ...shiftedTo({ dateTime: '', timeZone: 'UTC' }, new Date(ms).toISOString().slice(0, 19), calendarZone),
    timeZone,
  };
}
