import { z } from '../../core/server-kit/schema.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';

/** Most bytes of a text in UTF-8; the table holds no more either. */
export const MAX_TEXT_BYTES = 32_768;
const MAX_TAGS = 16;
const MAX_METADATA = 16;
const MAX_TTL_SECONDS = 315_360_000;

/**
 * Checked here and not by a pattern of the schema: a pattern is tried on long texts too, and what that may cost would have
 * each call with one checked in a thread of its own.
 */
function oneLine(schema: z.ZodString): z.ZodString {
  return schema.refine((given) => /^\P{Cc}+$/u.test(given), 'must be one line without control characters');
}

/** PostgreSQL keeps every character but one. */
export function withoutNul(schema: z.ZodString): z.ZodString {
  return schema.refine((given) => !given.includes('\0'), 'must not contain the character U+0000');
}

export const keyText = oneLine(z.string().min(1).max(200)).describe(
  'A name of your own for it, unique among your memories, e.g. client/hartmann/dietary',
);
export const idText = z.uuid().describe('As memory_remember, memory_search or memory_list gave it');
export const tagList = z.array(oneLine(z.string().min(1).max(50))).max(MAX_TAGS);
export const text = withoutNul(z.string().min(1).max(MAX_TEXT_BYTES)).describe(
  `What to remember, in words; at most ${MAX_TEXT_BYTES} bytes of UTF-8`,
);
export const metadata = z
  .record(oneLine(z.string().min(1).max(50)), withoutNul(z.string().max(500)))
  .refine((map) => Object.keys(map).length <= MAX_METADATA, `at most ${MAX_METADATA} members`)
  .meta({ maxProperties: MAX_METADATA });
export const ttlSeconds = z.number().int().min(1).max(MAX_TTL_SECONDS).describe('Forget it after so many seconds');
/** Bounded in what it may cost, unlike the pattern of `z.iso.datetime`. */
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;
export const expiresAt = z
  .string()
  .regex(INSTANT)
  .refine((given) => !Number.isNaN(Date.parse(given)), 'is no time of the calendar')
  .describe('Forget it then; ISO 8601 with a time zone, e.g. 2027-06-01T18:00:00+02:00');
export const limit = z.number().int().min(1).max(100).optional().describe('Default 20');
export const cursor = z.string().min(1).max(300).optional().describe('nextCursor of the page before');
export const nextCursor = z.string().optional().describe('Given while there is more');

/** What every answer tells of an entry. */
export const entryShape = {
  id: z.string(),
  key: z.string().optional(),
  createdAt: z.string(),
  updatedAt: z.string(),
  expiresAt: z.string().optional().describe('Absent: kept until it is forgotten'),
};

/** The columns behind `entryShape`. */
export interface EntryRow {
  readonly id: string;
  readonly key: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly expires_at: Date | null;
}

export const ENTRY_COLUMNS = 'id, key, created_at, updated_at, expires_at';
/** Expired entries are not there, whether or not they have been deleted. */
export const ALIVE = '(expires_at is null or expires_at > now())';

/** With all the digits that a place in a list needs. */
export function exactTime(column: string): string {
  return `to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/** An entry as answers tell it. */
export function entryOf({ id, key, created_at, updated_at, expires_at }: EntryRow) {
  return {
    id,
    ...(key === null ? {} : { key }),
    createdAt: created_at.toISOString(),
    updatedAt: updated_at.toISOString(),
    ...(expires_at === null ? {} : { expiresAt: expires_at.toISOString() }),
  };
}

/** Which entry is meant: by id or by key, as a condition with `$2`. @throws ToolError `invalid_arguments` */
export function which({ id, key }: { readonly id?: string | undefined; readonly key?: string | undefined }): {
  readonly condition: string;
  readonly value: string;
} {
  if ((id === undefined) === (key === undefined)) {
    throw new ToolError('invalid_arguments', 'give either id or key', { hint: 'One of them names the memory' });
  }
  return id === undefined ? { condition: 'key = $2', value: key ?? '' } : { condition: 'id = $2::uuid', value: id };
}

export function notFound(): ToolError {
  return new ToolError('not_found', 'you have no such memory, or it has expired', {
    hint: 'Look for it with memory_search or memory_list',
  });
}

/** JSON Schema counts characters, the table counts bytes. @throws ToolError `text_too_large` */
export function requireFitting(given: string): void {
  const bytes = Buffer.byteLength(given);
  if (bytes <= MAX_TEXT_BYTES) return;
  throw new ToolError('text_too_large', `the text has ${bytes} bytes, at most ${MAX_TEXT_BYTES} are kept`, {
    hint: 'Shorten it, or remember it in several pieces',
  });
}

/** @throws ToolError `invalid_arguments` */
export function requireOneExpiry(given: {
  readonly ttlSeconds?: number | undefined;
  readonly expiresAt?: string | undefined;
}): void {
  if (given.ttlSeconds === undefined || given.expiresAt === undefined) return;
  throw new ToolError('invalid_arguments', 'give ttlSeconds or expiresAt, not both');
}

/** @throws ToolError `expires_in_the_past` */
export function requireFuture(past: boolean | undefined): void {
  if (!past) return;
  throw new ToolError('expires_in_the_past', 'expiresAt is over already, by the clock of the database', {
    hint: 'Give a later time, or ttlSeconds',
  });
}

/** Each tag once, as it was written. */
export function distinct(tags: readonly string[] = []): string[] {
  return [...new Set(tags)];
}
