import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { instant, z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import { busyTimes } from '../busy-times.ts';
import type { CalendarApi } from '../calendar-api.ts';
import { calendarId, timeZone } from '../schemas.ts';

/** Google refuses much longer ranges; this bounds the answer too. */
const MAX_DAYS = 62;
const MAX_PERIODS = 500;

/** `free_busy` */
export function freeBusyTool(api: CalendarApi): DefinedTool {
  return defineTool({
    name: 'free_busy',
    title: 'Busy times',
    description:
      `When calendars are busy within at most ${MAX_DAYS} days, up to 50 calendars at once: own ones, and those of colleagues and rooms whose busy times the account may see, by their address. ` +
      'It tells times only, no titles. Whether one certain time is free, and what stands in the way, check_conflicts tells.',
    effect: 'read',
    input: z.object({
      calendarIds: z.array(calendarId).min(1).max(50).default(['primary']),
      timeMin: instant,
      timeMax: instant,
      timeZone: timeZone.optional().describe('Zone of the times in the answer; default UTC'),
    }),
    output: z.object({
      calendars: z.array(
        z.object({
          calendarId: z.string(),
          busy: z.array(z.object({ start: z.string(), end: z.string() })),
          truncated: z.boolean().describe(`True where there were more than ${MAX_PERIODS}; ask for less time`),
          problem: z.string().nullable().describe('Why Google does not say, e.g. notFound; the times are empty then'),
        }),
      ),
    }),
    run: async ({ calendarIds, timeMin, timeMax, timeZone: zone }, context) => {
      const lengthMs = Date.parse(timeMax) - Date.parse(timeMin);
      if (lengthMs <= 0 || lengthMs > MAX_DAYS * 86_400_000) {
        const message = `must be later than timeMin, by at most ${MAX_DAYS} days`;
        throw new ToolError('invalid_arguments', `/timeMax: ${message}`, {
          hint: 'Ask for longer times in pieces',
          details: { errors: [{ pointer: '/timeMax', message }] },
        });
      }
      const found = await busyTimes(api, context, { calendarIds, timeMin, timeMax, timeZone: zone });
      return {
        calendars: found.map(({ busy, ...calendar }) => ({
          ...calendar,
          busy: busy.slice(0, MAX_PERIODS),
          truncated: busy.length > MAX_PERIODS,
        })),
      };
    },
  });
}
