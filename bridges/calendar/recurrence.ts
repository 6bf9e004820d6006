import { z } from '../../core/server-kit/schema.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import { day } from './schemas.ts';
import type { Span } from './span.ts';
import { instantOf } from './times.ts';

const WEEKDAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'] as const;

/** How an event repeats: a small part of RFC 5545, always with an end. */
export const recurrenceInput = z
  .object({
    frequency: z.enum(['daily', 'weekly', 'monthly', 'yearly']),
    interval: z.number().int().min(1).max(52).default(1).describe('2 with weekly is every second week'),
    weekdays: z.array(z.enum(WEEKDAYS)).min(1).max(7).optional().describe('With weekly only'),
    count: z.number().int().min(1).max(730).optional().describe('How many times in all; this or until'),
    until: day.optional().describe('The last day on which it may begin; this or count'),
  })
  .strict();

export type RecurrenceInput = z.output<typeof recurrenceInput>;

function wrong(pointer: string, message: string): ToolError {
  return new ToolError('invalid_arguments', `${pointer}: ${message}`, {
    hint: 'E.g. {"frequency": "weekly", "weekdays": ["TU"], "count": 8}',
    details: { errors: [{ pointer, message }] },
  });
}

/** `20270612T220000Z` */
function compact(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/**
 * The RRULE line of a rule.
 * @param timeZone of the event; a repeated time without one has no meaning where clocks change
 * @throws ToolError `invalid_arguments`
 */
export function rruleOf(rule: RecurrenceInput, span: Span, timeZone: string | undefined): string {
  const { frequency, interval, weekdays, count, until } = rule;
  if ((count === undefined) === (until === undefined)) {
    throw wrong('/recurrence', 'needs exactly one of count and until');
  }
  if (weekdays !== undefined && frequency !== 'weekly') throw wrong('/recurrence/weekdays', 'goes with weekly only');
  if (!span.allDay && timeZone === undefined) throw wrong('/timeZone', 'is needed by an event that repeats');
  const parts = [`FREQ=${frequency.toUpperCase()}`];
  if (interval > 1) parts.push(`INTERVAL=${interval}`);
  if (weekdays !== undefined) parts.push(`BYDAY=${[...new Set(weekdays)].join(',')}`);
  if (count !== undefined) parts.push(`COUNT=${count}`);
  if (until !== undefined) {
    // UNTIL is of the same kind as the start: a day, or an instant in UTC.
    const lastMs = instantOf(`${until}T23:59:59`, timeZone ?? 'UTC');
    if (lastMs < span.startMs) throw wrong('/recurrence/until', 'must not be before start');
    parts.push(`UNTIL=${span.allDay ? until.replaceAll('-', '') : compact(lastMs)}`);
  }
  return `RRULE:${parts.join(';')}`;
}
