/**
 * The load generator: a process of its own beside each subject, doing one job after another. It ends
 * with its parent.
 */
import { firstCall, openLanes, verify } from './client.ts';
import type { Dialect } from './dialect.ts';
import type { Job, JobReply, JobResults, Target } from './jobs.ts';
import type { Lane } from './lane.ts';
import { runLoad } from './load.ts';
import { Pipe } from './pipe.ts';
import { FIRST_CALL } from './workload.ts';

type Way =
  | { readonly kind: 'http'; readonly target: Target & { kind: 'http' }; readonly dialect: Dialect }
  | { readonly kind: 'pipe'; readonly pipe: Pipe };

let way: Way | undefined;
let calls = FIRST_CALL;
const nextCall = (): number => ++calls;

function opened(): Way {
  if (way === undefined) throw new Error('the first job must be open');
  return way;
}

async function open({ target, verify: workloads }: Job & { job: 'open' }): Promise<JobResults['open']> {
  if (target.kind === 'pipe') {
    way = { kind: 'pipe', pipe: await Pipe.open(target.command, target.args) };
    return {};
  }
  const { connection, dialect } = await firstCall(target.dialect, target.port);
  for (const workload of workloads) await verify(connection, dialect, workload, nextCall());
  connection.close();
  way = { kind: 'http', target, dialect };
  return {};
}

async function load({ workload, connections, limits }: Job & { job: 'load' }): Promise<JobResults['load']> {
  const by = opened();
  const lanes: Lane[] =
    by.kind === 'pipe'
      ? Array.from({ length: connections }, () => by.pipe.lane(workload))
      : await openLanes(by.target.port, by.dialect, workload, connections);
  try {
    return await runLoad(lanes, limits, nextCall);
  } finally {
    for (const lane of lanes) lane.close();
  }
}

async function clients({ count, farewell }: Job & { job: 'clients' }): Promise<JobResults['clients']> {
  const by = opened();
  if (by.kind === 'pipe') throw new Error('a pipe has one client');
  const begin = performance.now();
  for (let i = 0; i < count; i++) {
    const { connection, dialect } = await firstCall(by.target.dialect, by.target.port);
    if (farewell && dialect.farewell !== undefined) await connection.ask(dialect.farewell);
    connection.close();
  }
  return { elapsedMs: performance.now() - begin };
}

async function run(job: Job): Promise<JobReply> {
  try {
    const result = job.job === 'open' ? await open(job) : job.job === 'load' ? await load(job) : await clients(job);
    return { ok: true, result };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

process.on('message', async (job: Job) => {
  process.send?.(await run(job));
});
process.on('disconnect', () => {
  if (way?.kind === 'pipe') way.pipe.close();
  process.exit(0);
});
// A terminal's Ctrl-C reaches this process too; the harness ends it in its own order.
process.on('SIGINT', () => undefined);
