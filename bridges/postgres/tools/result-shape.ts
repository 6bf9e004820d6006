import { z } from '../../../core/server-kit/schema.ts';
import type { Transaction } from '../database.ts';
import type { ReadRows } from '../rows.ts';

const NO_NUL = 'must not contain the character U+0000';
const text = z.string().refine((value) => !value.includes('\0'), NO_NUL);
const scalar = z.union([text, z.number(), z.boolean(), z.null()]);

/** One statement. */
export const sqlText = text.min(1).max(200_000);

/** Values for $1, $2, … */
export const parameters = z
  .array(z.union([scalar, z.array(scalar), z.record(z.string(), z.unknown())]))
  .max(1_000)
  .default([])
  .describe(
    'Values for the placeholders $1, $2, … in order. bigint and numeric as strings, dates as ISO 8601, JSON as an object or as text, an SQL array as an array. Never build values into the SQL text.',
  );

/** What every statement gives. */
export const tableShape = {
  columns: z
    .array(
      z.object({
        name: z.string(),
        type: z.string().describe('e.g. integer, numeric(10,2), timestamp with time zone'),
      }),
    )
    .describe('In the order of the statement. A name that occurs twice is numbered: id, id_2.'),
  rows: z
    .array(z.record(z.string(), z.unknown()))
    .describe('One object per row. bigint and numeric are strings, dates and times ISO 8601, bytea base64.'),
  rowCount: z.number().int().describe('Rows in this answer'),
  truncated: z.boolean().describe('True when there were more rows than maxRows or more bytes than the server sends'),
};

/** Rows as the tools give them. */
export async function asTable(transaction: Transaction, read: ReadRows) {
  const types = await transaction.typeNames(read.columns);
  return {
    columns: read.columns.map(({ name }, at) => ({ name, type: types[at] ?? 'unknown' })),
    rows: [...read.rows],
    rowCount: read.rows.length,
    truncated: read.truncated,
  };
}
