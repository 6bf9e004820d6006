import { emailAddress, z } from '../../core/server-kit/schema.ts';
import { isTimeZone } from './times.ts';

export const calendarId = z
  .string()
  .min(3)
  .max(254)
  .regex(/^[^\s/\\?]+$/)
  .refine((id) => !/^\.+$/.test(id), 'must be the id of a calendar')
  .describe('Id of a calendar as list_calendars tells it (mostly an address), or primary for the own one');

export const calendarIdOrOwn = calendarId.default('primary');

export const eventId = z
  .string()
  .min(1)
  .max(1_024)
  .regex(/^[A-Za-z0-9_-]+$/)
  .describe('Id of an event as list_events tells it; that of one occurrence changes this occurrence only');

export const ifEtag = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\x21-\x7e]+$/)
  .optional()
  .describe(
    'etag as it was last seen: where the event has changed since, nothing is done and the answer is changed_meanwhile',
  );

/** Google's word for it: sendUpdates. */
export const notifyGuests = z
  .enum(['none', 'all', 'external'])
  .default('none')
  .describe('Whom Google mails about it: none (default), all guests, or only guests who do not use Google Calendar');

export type NotifyGuests = z.output<typeof notifyGuests>;

const DAY = /^\d{4}-\d\d-\d\d$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?$/;

function isDay(text: string): boolean {
  const ms = Date.parse(`${text}T00:00:00Z`);
  // Date takes the 30th of February for the 2nd of March.
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

function isTime(text: string): boolean {
  return isDay(text.slice(0, 10)) && !Number.isNaN(Date.parse(text));
}

/** A day, `2027-06-12`. Plain patterns here: the bridge checks what costs next to nothing at once. */
export const day = z.string().regex(DAY).refine(isDay, 'must be a day that exists').meta({ format: 'date' });

/** A time that may lack its offset where a time zone is given beside it. */
const wallClock = z.string().regex(TIME).refine(isTime, 'must be a time that exists');

export const eventTime = z
  .union([day, wallClock])
  .describe(
    'A day (2027-06-12: all-day) or a time with offset (2027-06-12T15:00:00+02:00); without offset timeZone is needed',
  );

export const timeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, 'must be an IANA time zone such as Europe/Berlin')
  .describe('IANA time zone such as Europe/Berlin');

export const limit = z.number().int().min(1).max(100).default(20);

export const cursor = z
  .string()
  .min(1)
  .max(4_000)
  .optional()
  .describe('nextCursor of the page before, with the other arguments as they were');

export const nextCursor = z.string().nullable().describe('Give it as cursor for the next page; null on the last one');

export const title = z.string().min(1).max(1_000);
export const description = z.string().max(8_192).describe('May hold simple HTML');
export const location = z.string().max(1_024);
export const status = z.enum(['confirmed', 'tentative']).describe('tentative: a hold that may still fall through');
export const showAs = z.enum(['busy', 'free']).describe('free: does not block time, and is no conflict');
export const visibility = z.enum(['default', 'public', 'private']);

/** A guest to invite. */
export const guest = z
  .object({
    email: emailAddress,
    name: z.string().min(1).max(200).optional(),
    optional: z.boolean().default(false).describe('True: may stay away'),
  })
  .strict();

export const guests = z.array(guest).max(100);
