import { setTimeout as delay } from 'node:timers/promises';
import { type Docker, DockerError } from '#core/deploy/docker.ts';
import type { Project } from '#core/deploy/project.ts';
import { isLiving, isServing, type Replica } from '#core/deploy/replica.ts';
import { roleOf, shortName } from '#core/deploy/role.ts';
import { listReplicas, lookAt } from '#core/deploy/snapshot.ts';
import { label, type Step } from '#core/deploy/step.ts';

/** A step that could not be done. What ran before it still runs; the message says so, and what to do. */
export class StepError extends Error {
  readonly lines: readonly string[];

  constructor(message: string, lines: readonly string[] = [], options?: ErrorOptions) {
    super(message, options);
    this.name = 'StepError';
    this.lines = lines;
  }
}

/** What steps are run with. */
export interface Runner {
  readonly docker: Docker;
  readonly project: Project;
  /** Told each line of progress. */
  readonly say: (line: string) => void;
  /** Aborted: no further step is begun and nothing is waited for; what runs is left to run. */
  readonly signal: AbortSignal;
  /** How long a new replica may take until it is healthy. */
  readonly healthyWithinMs: number;
}

const POLL_MS = 250;
/** The front looks its addresses up once a second: nobody is stopped before it can know of who was started. */
const SETTLE_MS = 2_000;
/** A process that ends and is started again this often will not become healthy by waiting. */
const MAX_RESTARTS = 2;
const COMPOSE_TIMEOUT_MS = 120_000;
/** Beyond a container's own grace, for the engine to kill it and to tidy up. */
const STOP_SLACK_MS = 30_000;
const LOG_LINES = 15;

/**
 * Does the steps of a plan one after the other, and says so.
 *
 * @throws StepError where one could not be done: it was undone, the rest was not begun
 * @throws DockerError where the engine refuses
 */
export async function runSteps(runner: Runner, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    runner.signal.throwIfAborted();
    await runStep(runner, step);
  }
}

async function runStep(runner: Runner, step: Step): Promise<void> {
  const { docker, say } = runner;
  switch (step.do) {
    case 'clear':
      say(
        `${shortName(step.service)}: removing ${step.replica.name}, which ${step.why === 'ended' ? 'has ended' : 'is unhealthy'}`,
      );
      return remove(docker, step.replica);
    case 'create':
      return create(runner, step.services);
    case 'await':
      return awaitHealthy(runner, step.service, step.replicas, 'what ran before still runs');
    case 'start':
      return start(runner, step);
    case 'stop':
      return stop(runner, step.service, step.replica, step.last === true);
    case 'reload':
      return reload(runner, step.service, step.replica);
    case 'replace':
      say(`${shortName(step.service)}: making its container anew`);
      await up(runner, ['--force-recreate', step.service]);
      return awaitHealthy(runner, step.service, await replicasOf(runner, step.service), 'its old container is gone');
  }
}

/** Dependencies among them are obeyed by compose; whatever runs already is not touched. */
async function create(runner: Runner, services: readonly string[]): Promise<void> {
  runner.say(`creating ${services.map(shortName).join(', ')}`);
  await up(runner, ['--no-recreate', ...services], COMPOSE_TIMEOUT_MS + runner.healthyWithinMs);
  for (const service of services) {
    try {
      await awaitHealthy(runner, service, await replicasOf(runner, service), 'the others run on');
      runner.say(`${shortName(service)}: healthy`);
    } catch (error) {
      // A bridge without its secrets is not well, and no reason to keep the others from their callers.
      if (!(error instanceof StepError) || roleOf(service) !== 'bridge') throw error;
      runner.say(error.message);
    }
  }
}

async function start(runner: Runner, step: Step & { readonly do: 'start' }): Promise<void> {
  const { service, count } = step;
  const before = await replicasOf(runner, service);
  const known = new Set(before.map(({ id }) => id));
  const beganMs = performance.now();
  runner.say(`${label(step)}: starting ${count === 1 ? 'a new replica' : `${count} new replicas`}`);
  const isNew = ({ id }: Replica): boolean => !known.has(id);
  try {
    await up(runner, ['--no-recreate', '--scale', `${service}=${before.length + count}`, service]);
    const fresh = (await replicasOf(runner, service)).filter(isNew);
    if (fresh.length < count) throw new StepError(`${shortName(service)}: compose started ${fresh.length} of ${count}`);
    await awaitHealthy(runner, service, fresh, keptRunning(before));
    await delay(SETTLE_MS, undefined, { signal: runner.signal });
  } catch (error) {
    // Interrupted, it is left to become healthy: the same command takes it over.
    if (!runner.signal.aborted) {
      const fresh = (await replicasOf(runner, service)).filter(isNew);
      await Promise.all(fresh.map((replica) => remove(runner.docker, replica)));
    }
    throw error;
  }
  const seconds = ((performance.now() - beganMs - SETTLE_MS) / 1000).toFixed(1);
  runner.say(`${label(step)}: ${count === 1 ? 'new replica' : `${count} new replicas`} healthy after ${seconds} s`);
}

/** Never the last one that serves, whatever the plan was made from. */
async function stop(runner: Runner, service: string, replica: Replica, last: boolean): Promise<void> {
  const others = (await replicasOf(runner, service)).filter(({ id }) => id !== replica.id);
  if (!last && !others.some(isServing)) {
    throw new StepError(
      `${shortName(service)}: ${replica.name} is not stopped, as no other replica is healthy; it serves on. ` +
        `Look at fleet logs ${shortName(service)}, then run this again`,
    );
  }
  runner.say(`${shortName(service)}: stopping ${replica.name} (up to ${replica.graceMs / 1000} s to finish its calls)`);
  const { docker } = runner;
  await gracefully(docker, replica);
  const stopped = await lookAt(docker, replica.id);
  const exitCode =
    stopped === undefined ? '0' : await docker.run(['inspect', '--format', '{{.State.ExitCode}}', replica.id]);
  if (exitCode.trim() === '137') {
    runner.say(
      `${replica.name} had not finished after ${replica.graceMs / 1000} s and was killed: calls may have been cut off`,
    );
  }
  await remove(docker, replica);
}

/** Our proxies start by a script that, told `reload`, tests the configuration and only then lets nginx read it anew. */
async function reload(runner: Runner, service: string, replica: Replica): Promise<void> {
  const { docker, say } = runner;
  const short = shortName(service);
  const entrypoint = await docker.run(['inspect', '--format', '{{json .Config.Entrypoint}}', replica.id]);
  try {
    await docker.run(['exec', replica.id, ...JSON.parse(entrypoint), 'reload']);
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    throw new StepError(
      `${short}: its configuration has a mistake and was not loaded; it serves on with the one before. Mend it, then run this again`,
      error.lines,
      { cause: error },
    );
  }
  say(`${short}: configuration reloaded`);
}

/** @throws StepError with the last lines of its log where one cannot, or did not in time, become healthy */
async function awaitHealthy(
  { docker, signal, healthyWithinMs }: Runner,
  service: string,
  replicas: readonly Replica[],
  kept: string,
): Promise<void> {
  const giveUpAtMs = performance.now() + healthyWithinMs;
  for (const { id, name } of replicas) {
    for (;;) {
      const now = await lookAt(docker, id);
      if (now !== undefined && isServing(now)) break;
      const why = now === undefined ? 'is gone' : hopeless(now);
      const late = performance.now() > giveUpAtMs;
      if (why !== undefined || late) {
        const verdict = why ?? `is not healthy after ${healthyWithinMs / 1000} s`;
        throw new StepError(
          `${shortName(service)}: ${name} ${verdict}; ${kept}. The end of its log, above, says why; mend that, then run this again`,
          await lastLines(docker, id),
        );
      }
      await delay(POLL_MS, undefined, { signal });
    }
  }
}

/** Why waiting any longer is of no use. */
function hopeless(replica: Replica): string | undefined {
  if (!isLiving(replica)) return 'has ended';
  if (replica.restarts >= MAX_RESTARTS) return `has ended ${replica.restarts} times`;
  return replica.health === 'unhealthy' ? 'is unhealthy' : undefined;
}

function keptRunning(before: readonly Replica[]): string {
  const serving = before.filter(isServing);
  if (serving.length === 0) return 'nothing else serves';
  return `nothing is lost, ${serving.map(({ name }) => name).join(', ')} ${serving.length === 1 ? 'serves' : 'serve'} on`;
}

async function lastLines(docker: Docker, id: string): Promise<readonly string[]> {
  const lines: string[] = [];
  const stdout = await docker
    .run(['logs', '--tail', String(LOG_LINES), id], { onLine: (line) => lines.push(line) })
    .catch(() => '');
  return [...docker.redacted(stdout), ...lines].slice(-LOG_LINES);
}

async function up(runner: Runner, args: readonly string[], timeoutMs = COMPOSE_TIMEOUT_MS): Promise<void> {
  await runner.docker.run(runner.project.compose('up', '--detach', '--no-deps', '--no-build', ...args), { timeoutMs });
}

async function replicasOf({ docker, project }: Runner, service: string): Promise<readonly Replica[]> {
  return (await listReplicas(docker, project, service)).get(service) ?? [];
}

/** `docker stop` knows ten seconds where it is not told otherwise, whatever the container was made with. */
async function gracefully(docker: Docker, { id, graceMs }: Replica): Promise<void> {
  const seconds = String(Math.ceil(graceMs / 1000));
  await unlessGone(docker.run(['stop', '--time', seconds, id], { timeoutMs: graceMs + STOP_SLACK_MS }));
}

async function remove(docker: Docker, replica: Replica): Promise<void> {
  if (isLiving(replica)) await gracefully(docker, replica);
  await unlessGone(docker.run(['rm', '--force', '--volumes', replica.id]));
}

async function unlessGone(done: Promise<unknown>): Promise<void> {
  try {
    await done;
  } catch (error) {
    const gone = error instanceof DockerError && /no such container|is already in progress/i.test(error.message);
    if (!gone) throw error;
  }
}
