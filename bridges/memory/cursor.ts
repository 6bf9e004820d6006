import { z } from '../../core/server-kit/schema.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';

const time = z.string().regex(/^\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
/** After which entry a list goes on: when it was made, and its id. */
export const listPlace = z.tuple([time, z.uuid()]);
/** After which hit a search goes on: its rank, when it was changed, and its id. */
export const searchPlace = z.tuple([z.string().regex(/^\d+(\.\d+)?(e-?\d+)?$/), time, z.uuid()]);

/** A place as callers hand it back; it says nothing to them. */
export function toCursor(place: readonly string[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

/** The place that a cursor stands for. @throws ToolError `invalid_cursor` */
export function fromCursor<T extends z.ZodType>(cursor: string, place: T): z.output<T> {
  try {
    return place.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch (cause) {
    throw new ToolError('invalid_cursor', 'this cursor is not from an earlier answer of this tool', {
      hint: 'Give nextCursor as it came, or no cursor for the first page',
      cause,
    });
  }
}
