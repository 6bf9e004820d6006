import type { calendar_v3 } from '@googleapis/calendar';
import { instantOf, isTimeZone, localOf, withOffset } from '../times.ts';
import { emptyRange, invalid, required } from './refusal.ts';

export type EventDateTime = calendar_v3.Schema$EventDateTime;

const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;
const LOCAL = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** A parameter such as `timeMin`, in ms. @throws Refusal */
export function instantParameter(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined) return undefined;
  const ms = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw invalid('Bad Request');
  return ms;
}

/** When it is; a day begins in the zone of its calendar. @throws Refusal */
export function msOf(time: EventDateTime | undefined, calendarZone: string, which: 'start' | 'end'): number {
  const { date, dateTime, timeZone } = time ?? {};
  if (typeof timeZone === 'string' && !isTimeZone(timeZone)) {
    throw invalid(`Invalid time zone definition for ${which} time.`);
  }
  if (typeof date === 'string' && typeof dateTime === 'string') throw invalid(`Invalid ${which} time.`);
  if (typeof date === 'string') {
    if (!DATE.test(date) || Number.isNaN(Date.parse(date))) throw invalid(`Invalid ${which} time.`);
    return instantOf(date, calendarZone);
  }
  if (typeof dateTime !== 'string') throw required(`Missing ${which} time.`);
  if (INSTANT.test(dateTime)) return Date.parse(dateTime);
  if (!LOCAL.test(dateTime)) throw invalid(`Invalid ${which} time.`);
  if (typeof timeZone !== 'string') throw required(`Missing time zone definition for ${which} time.`);
  return instantOf(dateTime, timeZone);
}

/** As Google stores it: an instant with the calendar's offset and a zone. */
export function stored(time: EventDateTime, ms: number, calendarZone: string): EventDateTime {
  if (typeof time.date === 'string') return { date: time.date };
  return { dateTime: withOffset(ms, calendarZone), timeZone: time.timeZone ?? calendarZone };
}

/** Start and end of an event as they are stored. @throws Refusal */
export function checkedTimes(
  event: calendar_v3.Schema$Event,
  calendarZone: string,
): { readonly start: EventDateTime; readonly end: EventDateTime } {
  const { start = {}, end = {} } = event;
  const startMs = msOf(start, calendarZone, 'start');
  const endMs = msOf(end, calendarZone, 'end');
  if (typeof start.date !== typeof end.date)
    throw invalid('Start and end times must either both be date or both be dateTime.');
  if (endMs < startMs) throw emptyRange();
  if (event.recurrence != null && typeof start.date !== 'string' && typeof start.timeZone !== 'string') {
    throw required('Missing time zone definition for start time.');
  }
  return { start: stored(start, startMs, calendarZone), end: stored(end, endMs, calendarZone) };
}

/** The same wall clock, later by whole days: of days their dates, of times their instant in the event's zone. */
export function shiftedTo(time: EventDateTime, local: string, calendarZone: string): EventDateTime {
  if (typeof time.date === 'string') return { date: local.slice(0, 10) };
  const zone = time.timeZone ?? calendarZone;
  return { dateTime: withOffset(instantOf(local, zone), calendarZone), timeZone: zone };
}

/** The wall clock of a stored time in the event's own zone. */
export function wallClock(time: EventDateTime, calendarZone: string): string {
  return typeof time.date === 'string'
    ? `${time.date}T00:00:00`
    : localOf(Date.parse(time.dateTime ?? ''), time.timeZone ?? calendarZone);
}

/** `20270612T130000Z`, or `20270612` of a day: the end of an occurrence's id. */
export function stampOf(time: EventDateTime): string {
  if (typeof time.date === 'string') return time.date.replaceAll('-', '');
  return `${new Date(time.dateTime ?? '').toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}
