import { setTimeout as delay } from 'node:timers/promises';
import { Environment } from '#core/config/environment.ts';
import { Problems } from '#core/config/problems.ts';
import { type AuditFilter, PostgresAuditReader } from '#core/store/postgres-audit-reader.ts';
import { StoreUnavailableError } from '#core/store/store-unavailable.ts';
import { AuditFollower } from './audit-follower.ts';
import { AuditTable } from './audit-table.ts';
import { EXIT } from './exit-codes.ts';
import { said, tell, tellProblems } from './say.ts';

/** What `fleet audit tail` is asked for, as written on the command line. */
export interface AuditTailArguments {
  readonly lines: string;
  readonly follow: boolean;
  readonly json: boolean;
  readonly principal: string | undefined;
  readonly bridge: string | undefined;
  readonly since: string | undefined;
}

const MAX_LINES = 10_000;
const POLL_MS = 500;
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `fleet audit tail`: prints the last calls of the audit, and those that follow. Returns the exit code. */
export async function auditTail(args: AuditTailArguments): Promise<number> {
  const problems = new Problems();
  const lines = linesFrom(args.lines, problems);
  const sinceMs = args.since === undefined ? undefined : sinceFrom(args.since, problems);
  if (problems.list.length > 0) return refuse(problems, EXIT.usage);
  const url = Environment.ofProcess().secret('AUDIT_DATABASE_URL', problems);
  if (url === undefined && problems.list.length === 0) {
    problems.add('AUDIT_DATABASE_URL', 'is not set; set it to the database that the fleet writes its audit to');
  }
  if (url === undefined || problems.list.length > 0) return refuse(problems, EXIT.config);

  const reader = new PostgresAuditReader(url);
  const table = new AuditTable(args.json ? 'json' : process.stdout.isTTY ? 'table' : 'tabs');
  const filter: AuditFilter = { principal: args.principal, bridge: args.bridge, sinceMs };
  const out = new Pipe(process.stdout);
  try {
    const follower = new AuditFollower(reader, filter);
    await out.write(table.lines(await follower.first(lines)));
    if (args.follow) await follow(follower, table, out);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error;
    tell(`fleet: the audit cannot be read: ${error.message}`);
    await said();
    return EXIT.unavailable;
  } finally {
    await reader.close();
  }
}

/** Until nobody reads any more, or a signal ends the process. A database that goes away is waited for. */
async function follow(follower: AuditFollower, table: AuditTable, out: Pipe): Promise<void> {
  let away = false;
  while (!out.broken) {
    await Promise.race([delay(POLL_MS, undefined, { signal: out.signal }), out.end]).catch(() => undefined);
    try {
      const records = await follower.next();
      if (away) tell('fleet: the audit can be read again');
      away = false;
      await out.write(table.lines(records));
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      if (!away) tell(`fleet: the audit cannot be read just now, trying again: ${error.message}`);
      away = true;
    }
  }
}

/** Standard output, as slow as its reader. When that is gone (`| head`) there is nothing left to do, and no error. */
class Pipe {
  readonly #stream: NodeJS.WriteStream;
  readonly #ended = new AbortController();
  readonly end: Promise<void>;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.end = new Promise((resolve) => {
      stream.once('error', () => {
        this.#ended.abort();
        resolve();
      });
    });
    stream.on('error', () => undefined);
  }

  get broken(): boolean {
    return this.#ended.signal.aborted;
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Settles when the text has been taken, or will never be. */
  async write(text: string): Promise<void> {
    if (text === '' || this.broken) return;
    const taken = new Promise<void>((resolve) => this.#stream.write(text, () => resolve()));
    await Promise.race([taken, this.end]);
  }
}

function linesFrom(text: string, problems: Problems): number {
  const lines = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (lines >= 0 && lines <= MAX_LINES) return lines;
  problems.add('--lines', `must be a whole number from 0 to ${MAX_LINES}`);
  return 0;
}

function sinceFrom(text: string, problems: Problems): number | undefined {
  const [, number, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const unitMs = UNIT_MS[unit];
  if (unitMs !== undefined) return Number(number) * unitMs;
  problems.add('--since', 'must be a number with s, m, h or d, such as 10m');
  return undefined;
}

async function refuse(problems: Problems, exitCode: number): Promise<number> {
  tellProblems(problems.list);
  await said();
  return exitCode;
}
