import type { calendar_v3 } from '@googleapis/calendar';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import { instantOf } from './times.ts';

/** When an event is, as a caller writes it. */
export interface SpanInput {
  /** `YYYY-MM-DD`, or a date and time. */
  readonly start: string;
  readonly end: string;
  readonly timeZone?: string | undefined;
}

/** When an event is, as Google takes it, and as instants. */
export interface Span {
  readonly allDay: boolean;
  readonly start: calendar_v3.Schema$EventDateTime;
  readonly end: calendar_v3.Schema$EventDateTime;
  /** In ms; a day without a time zone is taken as UTC's. */
  readonly startMs: number;
  readonly endMs: number;
}

const DATE_CHARACTERS = 10;
const HAS_OFFSET = /(?:Z|[+-]\d{2}:?\d{2})$/;
/** Google takes no longer event in practice; it bounds what a slip of the pen can do. */
const MAX_DAYS = 366;

function wrong(pointer: string, message: string): ToolError {
  return new ToolError('invalid_arguments', `${pointer}: ${message}`, {
    hint: 'Give start and end either as days (2027-06-12) or as times (2027-06-12T15:00:00+02:00, or 2027-06-12T15:00:00 with timeZone)',
    details: { errors: [{ pointer, message }] },
  });
}

function isDay(text: string): boolean {
  return text.length === DATE_CHARACTERS;
}

/** With seconds, which Google insists on. */
function completed(text: string): string {
  return text.replace(/^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(?!:)/, '$1:00');
}

function instant(text: string, pointer: string, timeZone: string | undefined): number {
  if (HAS_OFFSET.test(text)) return Date.parse(completed(text));
  if (timeZone !== undefined) return instantOf(completed(text), timeZone);
  throw wrong(pointer, 'needs an offset (or Z), or timeZone beside it');
}

/** Reads when an event is. @throws ToolError `invalid_arguments` */
export function spanOf({ start, end, timeZone }: SpanInput): Span {
  const allDay = isDay(start);
  if (isDay(end) !== allDay) throw wrong('/end', 'must be a day where start is one, and a time where start is one');
  const zone = timeZone === undefined ? {} : { timeZone };
  const startMs = allDay ? instantOf(start, timeZone ?? 'UTC') : instant(start, '/start', timeZone);
  const endMs = allDay ? instantOf(end, timeZone ?? 'UTC') : instant(end, '/end', timeZone);
  if (endMs <= startMs) {
    throw wrong(
      '/end',
      allDay ? 'must be the day after the last one, so later than start' : 'must be later than start',
    );
  }
  if (endMs - startMs > MAX_DAYS * 86_400_000) throw wrong('/end', `must be at most ${MAX_DAYS} days after start`);
  return allDay
    ? { allDay, startMs, endMs, start: { date: start }, end: { date: end } }
    : {
        allDay,
        startMs,
        endMs,
        start: { dateTime: completed(start), ...zone },
        end: { dateTime: completed(end), ...zone },
      };
}
