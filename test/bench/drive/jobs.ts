import type { DialectName } from './dialect.ts';
import type { LoadLimits, LoadResult } from './lane.ts';
import type { Workload } from './workload.ts';

/** How a generator reaches its subject: over HTTP, or as the parent of the bare child. */
export type Target =
  | { readonly kind: 'http'; readonly dialect: DialectName; readonly port: number }
  | { readonly kind: 'pipe'; readonly command: string; readonly args: readonly string[] };

/** What the harness asks a generator process to do, one at a time. */
export type Job =
  | { readonly job: 'open'; readonly target: Target; readonly verify: readonly Workload[] }
  | { readonly job: 'load'; readonly workload: Workload; readonly connections: number; readonly limits: LoadLimits }
  | { readonly job: 'clients'; readonly count: number; readonly farewell: boolean };

/** What one kind of job brings back. */
export interface JobResults {
  readonly open: Record<never, never>;
  readonly load: LoadResult;
  readonly clients: { readonly elapsedMs: number };
}

/** A generator's answer to a job. */
export type JobReply =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly message: string };
