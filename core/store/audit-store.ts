import type { Effect } from '#core/call.ts';
import type { Executed } from '#core/errors.ts';

/** One call that reached a policy decision, as it is written down. */
export interface AuditRow {
  /** When the call arrived. */
  readonly at: Date;
  readonly requestId: string;
  readonly traceId: string | undefined;
  readonly principal: string;
  readonly bridge: string;
  readonly tool: string;
  /** Undefined where the call was refused before the tool was looked up. */
  readonly effect: Effect | undefined;
  /** Requests that went towards a worker. */
  readonly attempts: number;
  /** `ok`, `tool_error`, `client_gone` or an error code. */
  readonly outcome: string;
  readonly executed: Executed;
  readonly durationMs: number;
  /** SHA-256 of the arguments as the child got them, hex; undefined where they were not read. */
  readonly argumentsSha256: string | undefined;
  /** The answer was told again from a record. */
  readonly replayed: boolean;
}

/** The outcome of the row that stands for rows which could not be kept. */
export const AUDIT_DROPPED = 'audit_dropped';

/** Stands where rows are missing: how many, and from when to when. */
export interface AuditGap {
  /** When the first of the missing rows was recorded. */
  readonly at: Date;
  readonly outcome: typeof AUDIT_DROPPED;
  /** Missing rows. */
  readonly dropped: number;
  /** From the first to the last of them. */
  readonly durationMs: number;
}

/** What the table is made of. */
export type AuditEntry = AuditRow | AuditGap;

/** Takes rows and never delays or fails the call that they are of. */
export interface AuditLog {
  record(row: AuditRow): void;
}
