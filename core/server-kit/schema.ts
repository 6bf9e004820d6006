import { z } from 'zod';

/** Tool schemas are written with this zod, so that a bridge needs no copy of its own. */
export { z };

/** A JSON Schema 2020-12 object schema, as a tool lists it. */
export interface ObjectSchema {
  readonly type: 'object';
  readonly [keyword: string]: unknown;
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;
/** No more than this, so that its cost grows with the length of the longest text beside it, not with its square. */
const SOMEBODY_AT = /^[^\s@]+@/;

function isInstant(text: string): boolean {
  const day = text.slice(0, 10);
  const midnight = new Date(`${day}T00:00:00Z`);
  // A day that is not there would be read as one of the next month.
  return !Number.isNaN(Date.parse(text)) && !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}

/**
 * A point in time with its zone, `2027-06-12T09:00:00+02:00`. In its place `z.iso.datetime()` lists a pattern that nobody
 * can tell the cost of, so that each call of its tool is checked in a thread of the bridge instead of at once.
 */
export const instant = z
  .string()
  .max(40)
  .regex(INSTANT, 'must be an ISO 8601 time with its zone, e.g. 2027-06-12T09:00:00+02:00')
  .refine(isInstant, { message: 'must be a time that exists', abort: true })
  .meta({ format: 'date-time' });

/** An e-mail address; for `z.email()` the same holds as for {@link instant}. */
export const emailAddress = z
  .string()
  .max(254)
  .regex(SOMEBODY_AT, 'must be an e-mail address')
  .refine((text) => z.regexes.email.test(text), { message: 'must be an e-mail address' })
  .meta({ format: 'email' });

/** The error side of every tool's output. */
const FAILURE = z
  .object({
    error: z.looseObject({
      code: z.string(),
      message: z.string(),
      retryable: z.boolean(),
      hint: z.string().optional(),
    }),
  })
  .describe('Given with isError: true');

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): ObjectSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io }) as Record<string, unknown>;
  return rest as unknown as ObjectSchema;
}

/** What a tool takes; unknown members are refused (`additionalProperties: false`). */
export function inputSchema(input: z.ZodObject): ObjectSchema {
  return jsonSchema(input.strict(), 'input');
}

/**
 * What a tool's `structuredContent` is: its output, or `{error}`. Both are told, because official clients
 * hold `structuredContent` against the schema even where `isError` is set.
 */
export function outputSchema(output: z.ZodObject): ObjectSchema {
  return { type: 'object', anyOf: [jsonSchema(output, 'output'), jsonSchema(FAILURE, 'output')] };
}
