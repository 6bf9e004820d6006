import { type TreeMemory, treeMemory } from '../procfs.ts';
import { RunningSubject } from '../running-subject.ts';
import type { Subject } from '../subjects.ts';
import { type RunContext, reasonOf } from './run-context.ts';

/** What clients that come once and never again leave behind. */
export interface FreshClients {
  readonly subject: string;
  /** Whether each client ended its session with DELETE. */
  readonly farewell: boolean;
  readonly clients: number;
  readonly msPerClient: number;
  readonly before: TreeMemory;
  readonly after: TreeMemory;
  /** A longer second stretch, where the first left no processes and was quick: heap that settles, or a leak. */
  readonly later: { readonly clients: number; readonly after: TreeMemory } | undefined;
}

/** Clients before the first look at memory: their cost is the first use of code. */
const WARM_UP_CLIENTS = 20;
/** The second stretch, in times of the first, and how quick a client must be for it. */
const LATER_TIMES = 5;
const LATER_MS_PER_CLIENT = 15;

async function measure(context: RunContext, subject: Subject, farewell: boolean): Promise<FreshClients> {
  const running = await RunningSubject.spawn(subject, { child: 'echo', compileCache: context.cacheDir });
  try {
    await running.firstCall({ farewell: true });
    await running.drive([]);
    await running.job({ job: 'clients', count: WARM_UP_CLIENTS, farewell });
    const before = treeMemory(running.pid);
    const count = context.options.clients;
    const { elapsedMs } = await running.job({ job: 'clients', count, farewell });
    const after = treeMemory(running.pid);
    const msPerClient = elapsedMs / count;
    const clients = count * LATER_TIMES;
    let later: FreshClients['later'];
    if (after.processes <= before.processes && msPerClient < LATER_MS_PER_CLIENT) {
      await running.job({ job: 'clients', count: clients, farewell });
      later = { clients, after: treeMemory(running.pid) };
    }
    return { subject: subject.name, farewell, clients: count, msPerClient, before, after, later };
  } finally {
    await running.stop();
  }
}

/** New connection, new session where there are sessions, one call, gone: for every subject with clients. */
export async function measureFreshClients(context: RunContext): Promise<FreshClients[]> {
  const results: FreshClients[] = [];
  for (const subject of context.subjects.filter(({ onlyIn }) => onlyIn === undefined)) {
    if (subject.server === undefined) continue;
    for (const farewell of subject.sessions ? [false, true] : [false]) {
      context.progress(`${context.options.clients} fresh clients: ${subject.name}${farewell ? ' with DELETE' : ''}`);
      try {
        results.push(await measure(context, subject, farewell));
      } catch (error) {
        context.fail(reasonOf(error));
      }
    }
  }
  return results;
}
