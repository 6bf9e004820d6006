import type pg from 'pg';
import Cursor from 'pg-cursor';
import { socketOf } from '../../core/postgres-kit/connections.ts';
import { databaseUnavailable } from '../../core/postgres-kit/sql-errors.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import { valueTypes } from './values.ts';

/** One column of a result. */
export interface Column {
  readonly name: string;
  readonly oid: number;
  readonly modifier: number;
}

/** What of a result was kept. */
export interface ReadRows {
  readonly columns: readonly Column[];
  /** By column name; names that occur twice are numbered. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** True when there were more rows than `maxRows` or more bytes than `maxBytes`. */
  readonly truncated: boolean;
  /** The command tag, e.g. `INSERT`; undefined where reading stopped early. */
  readonly command: string | undefined;
  /** Rows the statement gave or changed; only those read where reading stopped early. */
  readonly affected: number;
}

/** Limits of one result. */
export interface RowLimits {
  readonly maxRows: number;
  /** Of the rows as JSON. */
  readonly maxBytes: number;
  /** Run to the end even when the limits are reached, for statements that change rows. */
  readonly toTheEnd?: boolean;
}

const FIRST_BATCH_ROWS = 32;
const BATCH_BYTES = 262_144;
const MAX_BATCH_ROWS = 5_000;
/** More than this in one batch is never read: it would all be held in memory at once. */
const MAX_BATCH_WIRE_BYTES = 8_388_608;

type Batch = { readonly rows: readonly unknown[][]; readonly result: pg.QueryResult };

/** pg-cursor would crash the process where the server begins a COPY. */
class RowCursor extends Cursor<unknown[]> {
  handleCopyInResponse(connection: { sendCopyFail(message: string): void }): void {
    connection.sendCopyFail('COPY is not run here');
  }
  handleCopyData(): void {}
}

/** Rejects when the connection ends first, since a cursor waits for its server for ever. */
async function whileConnected<T>(client: pg.Client, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onEnd = () => reject(databaseUnavailable(undefined));
  client.once('end', onEnd);
  try {
    return await Promise.race([work, promise]);
  } finally {
    client.off('end', onEnd);
  }
}

function readBatch(cursor: RowCursor, size: number): Promise<Batch> {
  return new Promise((resolve, reject) => {
    cursor.read(size, (error, rows, result) => (error ? reject(error) : resolve({ rows, result })));
  });
}

/** Column names as the server gave them, each made unique: `a`, `a_2`. */
export function uniqueNames(names: readonly string[]): readonly string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let n = 2; seen.has(unique); n += 1) {
      unique = `${name}_${n}`;
      if (!seen.has(unique) && taken.has(unique)) unique = name; // another column has this very name
    }
    seen.add(unique);
    return unique;
  });
}

/**
 * Runs one statement through a cursor and keeps what fits; the rest is neither read nor computed (unless `toTheEnd`).
 * Memory is bounded by 8 MiB per batch whatever the statement returns.
 * @throws ToolError `result_too_large`; errors of `pg`
 */
export async function readRows(
  client: pg.Client,
  sql: string,
  params: readonly unknown[],
  { maxRows, maxBytes, toTheEnd = false }: RowLimits,
): Promise<ReadRows> {
  const socket = socketOf(client);
  const cursor = client.query(
    new RowCursor(sql, [...params], { rowMode: 'array', types: valueTypes as pg.CustomTypesConfig }),
  );
  let batchBegan = socket.bytesRead;
  let tooLarge = false;
  const onData = () => {
    if (socket.bytesRead - batchBegan <= MAX_BATCH_WIRE_BYTES) return;
    tooLarge = true;
    socket.destroy(); // the server notices and stops sending
  };
  socket.on('data', onData);

  const kept: Record<string, unknown>[] = [];
  let columns: readonly Column[] = [];
  let names: readonly string[] = [];
  let bytes = 0;
  let full = false;
  let seen = 0;
  let size = Math.min(FIRST_BATCH_ROWS, maxRows + 1);
  try {
    for (;;) {
      batchBegan = socket.bytesRead;
      const { rows, result } = await whileConnected(client, readBatch(cursor, size));
      if (columns.length === 0) {
        columns = result.fields.map((field) => ({
          name: field.name,
          oid: field.dataTypeID,
          modifier: field.dataTypeModifier,
        }));
        names = uniqueNames(columns.map(({ name }) => name));
      }
      seen += rows.length;
      for (const row of rows) {
        if (full) break;
        const object = Object.fromEntries(names.map((name, at) => [name, row[at]]));
        const length = Buffer.byteLength(JSON.stringify(object)) + 1;
        full = kept.length >= maxRows || bytes + length > maxBytes;
        if (full && kept.length === 0) {
          await whileConnected(client, cursor.close());
          throw rowTooLarge(length, maxBytes);
        }
        if (full) break;
        bytes += length;
        kept.push(object);
      }
      const ended = rows.length < size;
      if (ended || (full && !toTheEnd)) {
        if (!ended) await whileConnected(client, cursor.close());
        return {
          columns: columns.map((column, at) => ({ ...column, name: names[at] ?? column.name })),
          rows: kept,
          truncated: full,
          command: ended ? result.command : undefined,
          // The server counts rows per batch where there are rows, and all of them where there are none.
          affected: columns.length > 0 ? seen : (result.rowCount ?? 0),
        };
      }
      size = nextSize(socket.bytesRead - batchBegan, rows.length, full ? MAX_BATCH_ROWS : maxRows + 1 - kept.length);
    }
  } catch (error) {
    throw tooLarge ? resultTooLarge() : error;
  } finally {
    socket.off('data', onData);
  }
}

function nextSize(bytes: number, rows: number, wanted: number): number {
  const each = Math.max(1, bytes / Math.max(1, rows));
  return Math.max(1, Math.min(wanted, MAX_BATCH_ROWS, Math.floor(BATCH_BYTES / each)));
}

const NARROW = 'Select fewer columns, or parts of long values with left(column, n)';

function rowTooLarge(length: number, maxBytes: number): ToolError {
  return new ToolError('result_too_large', `the first row alone has ${length} bytes, more than ${maxBytes}`, {
    hint: NARROW,
  });
}

function resultTooLarge(): ToolError {
  return new ToolError('result_too_large', `a few rows have more than ${MAX_BATCH_WIRE_BYTES} bytes`, { hint: NARROW });
}
