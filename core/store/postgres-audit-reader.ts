import { PostgresConnection } from '#core/store/postgres-connection.ts';
import { failureReason } from '#core/store/postgres-failure.ts';
import { StoreUnavailableError } from '#core/store/store-unavailable.ts';

/** A row of the table as it stands there. In a row with `dropped`, which stands for missing ones, most is null. */
export interface AuditRecord {
  readonly id: number;
  readonly at: Date;
  readonly requestId: string | null;
  readonly traceId: string | null;
  readonly principal: string | null;
  readonly bridge: string | null;
  readonly tool: string | null;
  readonly effect: string | null;
  readonly attempts: number | null;
  readonly outcome: string;
  readonly executed: string | null;
  readonly durationMs: number | null;
  readonly argumentsSha256: string | null;
  readonly replayed: boolean | null;
  readonly dropped: number | null;
}

/** Which rows: all of them where nothing is said. */
export interface AuditFilter {
  readonly principal?: string | undefined;
  readonly bridge?: string | undefined;
  /** Calls that arrived at most this long ago, by the database's clock. */
  readonly sinceMs?: number | undefined;
}

/** The columns, with numbers as numbers: ids and counts stay far below 2^53. */
const SELECT = `
  select id::double precision as id, at, request_id as "requestId", trace_id as "traceId", principal, bridge, tool,
         effect, attempts, outcome, executed, duration_ms as "durationMs", arguments_sha256 as "argumentsSha256",
         replayed, dropped::double precision as dropped
  from bridge_audit
  where ($1::text is null or principal = $1) and ($2::text is null or bridge = $2)
    and ($3::double precision is null or at >= now() - $3 * interval '1 ms')`;

/** Reads the table `bridge_audit`; it makes nothing and changes nothing. */
export class PostgresAuditReader {
  readonly #connection: PostgresConnection;

  constructor(url: string) {
    this.#connection = new PostgresConnection({ url, applicationName: 'mcp-bridge-audit-tail' });
  }

  /** The last rows, oldest first. @throws StoreUnavailableError with a message that can be shown */
  async last(lines: number, filter: AuditFilter): Promise<AuditRecord[]> {
    const rows = await this.#select(`${SELECT} order by id desc limit $4`, filter, lines);
    return rows.reverse();
  }

  /** Rows with a greater id, smallest id first. @throws StoreUnavailableError with a message that can be shown */
  after(id: number, limit: number, filter: AuditFilter): Promise<AuditRecord[]> {
    return this.#select(`${SELECT} and id > $5 order by id limit $4`, filter, limit, id);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #select(text: string, { principal, bridge, sinceMs }: AuditFilter, ...rest: number[]): Promise<AuditRecord[]> {
    try {
      return await this.#connection.query<AuditRecord>(text, [principal, bridge, sinceMs, ...rest]);
    } catch (error) {
      throw new StoreUnavailableError(failureReason(error), { cause: error });
    }
  }
}
