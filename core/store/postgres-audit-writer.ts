import { randomUUID } from 'node:crypto';
import type { AuditWriter, RefusedEntry } from '#core/store/audit-buffer.ts';
import type { AuditEntry } from '#core/store/audit-store.ts';
import { migrateAudit } from '#core/store/postgres-audit-schema.ts';
import { PostgresConnection } from '#core/store/postgres-connection.ts';
import { failureReason, isRefusal } from '#core/store/postgres-failure.ts';
import { StoreUnavailableError } from '#core/store/store-unavailable.ts';

export interface PostgresAuditOptions {
  readonly url: string;
  /** Default 5 000. */
  readonly connectTimeoutMs?: number;
  /** Default 10 000. */
  readonly statementTimeoutMs?: number;
}

/** Longest text of one column, in UTF-16 units: with it an entry of the index on `principal` stays within its page. */
const MAX_TEXT = 512;

/** One parameter and one round trip for a batch. What was written before is left as it is, so a repeat does no harm. */
const INSERT = `
  insert into bridge_audit (at, request_id, trace_id, principal, bridge, tool, effect, attempts, outcome, executed,
                            duration_ms, arguments_sha256, replayed, dropped, writer, number)
  select to_timestamp(at / 1000), request_id, trace_id, principal, bridge, tool, effect, attempts, outcome, executed,
         duration_ms, arguments_sha256, replayed, dropped, $2, number
  from json_to_recordset($1) as row (
    at double precision, request_id text, trace_id text, principal text, bridge text, tool text, effect text,
    attempts integer, outcome text, executed text, duration_ms double precision, arguments_sha256 text,
    replayed boolean, dropped bigint, number bigint)
  on conflict do nothing`;

/** Writes to the table `bridge_audit`, which it makes where it is missing and the role may. */
export class PostgresAuditWriter implements AuditWriter {
  readonly #connection: PostgresConnection;
  /** Names this process in the table. */
  readonly #id = randomUUID();

  constructor({ url, connectTimeoutMs, statementTimeoutMs }: PostgresAuditOptions) {
    this.#connection = new PostgresConnection({
      url,
      applicationName: 'mcp-bridge-audit',
      connectTimeoutMs,
      statementTimeoutMs,
      prepare: migrateAudit,
    });
  }

  async write(entries: readonly AuditEntry[], firstNumber: number): Promise<readonly RefusedEntry[]> {
    const refused: RefusedEntry[] = [];
    try {
      // Before the rows, so that an error of the migration is not taken for one of theirs.
      await this.#connection.open();
      if (entries.length > 0) await this.#insert(entries, firstNumber, refused);
    } catch (error) {
      throw new StoreUnavailableError(failureReason(error), { cause: error });
    }
    return refused;
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** Where the database refuses a batch for what is in it, halves of it find out for what. */
  async #insert(entries: readonly AuditEntry[], firstNumber: number, refused: RefusedEntry[]): Promise<void> {
    const json = JSON.stringify(entries.map((entry, i) => columnsOf(entry, firstNumber + i)));
    try {
      await this.#connection.query(INSERT, [json, this.#id], isRefusal);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const [entry] = entries;
      if (entries.length === 1 && entry !== undefined) {
        refused.push({ entry, reason: failureReason(error) });
        return;
      }
      const half = entries.length >> 1;
      await this.#insert(entries.slice(0, half), firstNumber, refused);
      await this.#insert(entries.slice(half), firstNumber + half, refused);
    }
  }
}

function columnsOf(entry: AuditEntry, number: number): Readonly<Record<string, unknown>> {
  const at = entry.at.getTime();
  if ('dropped' in entry) {
    return { at, outcome: entry.outcome, duration_ms: entry.durationMs, dropped: entry.dropped, number };
  }
  return {
    at,
    request_id: textOf(entry.requestId),
    trace_id: textOf(entry.traceId),
    principal: textOf(entry.principal),
    bridge: textOf(entry.bridge),
    tool: textOf(entry.tool),
    effect: entry.effect,
    attempts: entry.attempts,
    outcome: textOf(entry.outcome),
    executed: entry.executed,
    duration_ms: Math.round(entry.durationMs * 1000) / 1000,
    arguments_sha256: entry.argumentsSha256,
    replayed: entry.replayed,
    number,
  };
}

/** A text as PostgreSQL can keep it: no NUL, no half of a surrogate pair, not too long for an index. */
function textOf(text: string | undefined): string | undefined {
  if (text === undefined || (text.length <= MAX_TEXT && text.isWellFormed() && !text.includes('\0'))) return text;
  const short = text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 1)}…`;
  return short.toWellFormed().replaceAll('\0', '\ufffd');
}
