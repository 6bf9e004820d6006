import { z } from 'zod';

/** Tool schemas are written with this zod, so that a bridge needs no copy of its own. */
export { z };

/** A JSON Schema 2020-12 object schema, as a tool lists it. */
export interface ObjectSchema {
  readonly type: 'object';
  readonly [keyword: string]: unknown;
}

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
