import { setTimeout as delay } from 'node:timers/promises';
import { Environment } from '#core/config/environment.ts';
import { Problems } from '#core/config/problems.ts';
import { type Answer, type FleetReport, fleetReport } from '#core/fleet-status/fleet-report.ts';
import { type Look, lookAt } from '#core/fleet-status/look.ts';
import { findReplicas, parseTarget, type ReplicaAddress } from '#core/fleet-status/replica-addresses.ts';
import { statusLines } from '#core/fleet-status/status-table.ts';
import { PROBLEMS } from '#core/http/problem.ts';
import { escapeUnprintable } from '#core/telemetry/bounded.ts';
import { EXIT } from './exit-codes.ts';
import { print, said, tellProblems } from './say.ts';
import { StatusScreen } from './status-screen.ts';

/** What `fleet status` is asked for, as written on the command line. */
export interface StatusArguments {
  /** Host names, each for all its addresses; addresses; with or without a port. Default this machine. */
  readonly targets: readonly string[];
  readonly watch: boolean;
  readonly json: boolean;
  /** Seconds between two looks. */
  readonly interval: string | undefined;
}

const DEFAULT_PORT = 9464;
const DEFAULT_WATCH_MS = 2_000;
const TIMEOUT_MS = 3_000;
const MIN_INTERVAL_S = 0.2;
const MAX_INTERVAL_S = 3_600;

/**
 * `fleet status`: what every replica does, as a table, or with `json` one object per look. With an interval its figures
 * are about that time, without one about the time since each process started. Returns the exit code: 1 where a replica did
 * not answer.
 */
export async function status(args: StatusArguments): Promise<number> {
  const problems = new Problems();
  const intervalMs = args.interval === undefined ? undefined : intervalFrom(args.interval, problems);
  for (const target of args.targets) {
    if (parseTarget(target, DEFAULT_PORT) === undefined) {
      problems.add(target, 'is no host, host:port or http://host:port');
    }
  }
  if (problems.list.length > 0) {
    tellProblems(problems.list);
    await said();
    return EXIT.usage;
  }
  const environment = Environment.ofProcess();
  const targets = args.targets.length > 0 ? args.targets : [`127.0.0.1:${environment.get('OPS_PORT') ?? DEFAULT_PORT}`];
  const terminal = process.stdout.isTTY === true;
  const colours = terminal && environment.get('NO_COLOR') === undefined;
  const watch = new Watch(targets);
  const textOf = (report: FleetReport): string =>
    args.json ? escapeUnprintable(JSON.stringify(report)) : statusLines(report, colours).join('\n');

  if (args.watch) {
    const stop = stopSignal();
    const everyMs = intervalMs ?? DEFAULT_WATCH_MS;
    using screen = terminal && !args.json ? new StatusScreen(process.stdout) : undefined;
    const show =
      screen === undefined
        ? (report: FleetReport) => print(args.json ? textOf(report) : `${textOf(report)}\n`)
        : (report: FleetReport) => screen.draw(statusLines(report, colours));
    while (!stop.aborted) {
      const report = await watch.look(stop);
      if (stop.aborted) break;
      show(report);
      await delay(everyMs, undefined, { signal: stop }).catch(() => undefined);
    }
    await said();
    return EXIT.ok;
  }

  let report = await watch.look();
  if (intervalMs !== undefined) {
    await delay(intervalMs);
    report = await watch.look();
  }
  print(textOf(report));
  await said();
  return report.lost.length === 0 ? EXIT.ok : EXIT.differs;
}

/** Looks again and again at the same targets; names are resolved anew each time, as replicas come and go. */
class Watch {
  readonly #targets: readonly string[];
  #before = new Map<string, Look>();

  constructor(targets: readonly string[]) {
    this.#targets = targets;
  }

  async look(signal?: AbortSignal): Promise<FleetReport> {
    const found = await findReplicas(this.#targets, { defaultPort: DEFAULT_PORT, timeoutMs: TIMEOUT_MS });
    const answers = await Promise.all(found.map((replica) => ask(replica, signal)));
    const report = fleetReport(answers, isFailure, this.#before);
    this.#before = new Map(answers.flatMap((answer) => ('look' in answer ? [[answer.replica, answer.look]] : [])));
    return report;
  }
}

async function ask(address: ReplicaAddress, signal: AbortSignal | undefined): Promise<Answer> {
  if ('problem' in address) return { replica: address.target, problem: address.problem };
  const replica = address.origin.slice('http://'.length);
  try {
    return { replica, look: await lookAt(address.origin, { timeoutMs: TIMEOUT_MS, ...(signal ? { signal } : {}) }) };
  } catch (error) {
    return { replica, problem: (error as Error).message };
  }
}

/** Outcomes that callers see as 5xx. */
function isFailure(outcome: string): boolean {
  const kind = Object.entries(PROBLEMS).find(([code]) => code === outcome)?.[1];
  return kind !== undefined && kind.status >= 500;
}

/** Aborted by the first signal that asks for the end, and when nobody reads any more. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  process.stdout.once('error', end);
  return stop.signal;
}

function intervalFrom(text: string, problems: Problems): number {
  const value = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= MIN_INTERVAL_S && value <= MAX_INTERVAL_S) return value * 1000;
  problems.add('--interval', `must be a number of seconds from ${MIN_INTERVAL_S} to ${MAX_INTERVAL_S}`);
  return 0;
}
