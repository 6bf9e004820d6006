import { setTimeout as delay } from 'node:timers/promises';
import { linesOf } from '#core/deploy/docker.ts';
import { shortName } from '#core/deploy/role.ts';
import { type Runner, StepError } from '#core/deploy/run-steps.ts';

/** What the engine says of a service's last change. */
interface UpdateStatus {
  readonly State?: string;
  readonly Message?: string;
}

/** How a change of a service has ended; undefined while it goes on. */
export type UpdateEnd = 'done' | 'rolled back' | 'stuck';

/** What a service is waited for: a change of its tasks, the way back, or only that all its tasks run. */
export type Awaited = 'update' | 'rollback' | 'running';

const POLL_MS = 500;
/** A swarm needs a moment until it says that it has begun: so long all must look as if it had ended. */
const SETTLED_MS = 2_000;
const DEPLOY_TIMEOUT_MS = 120_000;
/** Longest drain of a container, and time for the rest. */
const REMOVE_TIMEOUT_MS = 4 * 60_000;
/** A network that a task still held when it was to go stays, until it is asked for again. */
const ASK_AGAIN_MS = 10_000;

/** @throws StepError where this engine is no manager of a swarm */
export async function requireSwarm({ docker }: Runner): Promise<void> {
  const state = await docker.run(['info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}']);
  if (state.trim() === 'active true') return;
  throw new StepError('this engine manages no swarm; make it one: docker swarm init --advertise-addr ADDRESS');
}

/** Hands the stack's file to the swarm, which replaces start first what differs, and waits for all of it. */
export async function deployStack(runner: Runner): Promise<void> {
  runner.say(`deploying the stack ${runner.project.name}`);
  await runner.docker.run(runner.project.stackDeploy(), { timeoutMs: DEPLOY_TIMEOUT_MS });
  for (const service of await stackServices(runner)) await settled(runner, service);
}

/**
 * Takes the stack down and waits until nothing of it runs on this node: the swarm answers before its tasks have ended.
 * @throws StepError naming how much is left
 */
export async function removeStack({ docker, project, signal }: Runner): Promise<void> {
  const ofStack = ['--filter', `label=com.docker.stack.namespace=${project.name}`];
  const giveUpAtMs = performance.now() + REMOVE_TIMEOUT_MS;
  const ask = () => docker.run(['stack', 'rm', project.name], { timeoutMs: DEPLOY_TIMEOUT_MS });
  await ask();
  let askAtMs = performance.now() + ASK_AGAIN_MS;
  for (;;) {
    if (performance.now() >= askAtMs) {
      // What it cannot take yet is looked at below.
      await ask().catch(() => undefined);
      askAtMs = performance.now() + ASK_AGAIN_MS;
    }
    const containers = linesOf(await docker.run(['ps', '--all', '--quiet', ...ofStack]));
    const networks = linesOf(await docker.run(['network', 'ls', '--quiet', ...ofStack]));
    if (containers.length === 0 && networks.length === 0) return;
    if (performance.now() > giveUpAtMs) {
      throw new StepError(
        `the stack is removed, but ${containers.length} containers and ${networks.length} networks are still there. See: ` +
          `docker ps --all --filter label=com.docker.stack.namespace=${project.name}; then fleet down again`,
      );
    }
    await delay(POLL_MS, undefined, { signal });
  }
}

/** The names of the stack's services, without its own name before them. */
export async function stackServices({
  docker,
  project,
}: Pick<Runner, 'docker' | 'project'>): Promise<readonly string[]> {
  const filter = `label=com.docker.stack.namespace=${project.name}`;
  const listed = await docker.run(['service', 'ls', '--filter', filter, '--format', '{{.Name}}']);
  return linesOf(listed).map((name) => name.slice(project.name.length + 1));
}

/**
 * Another image (or, without a tag, the same anew), start first, with the swarm's own way back where it fails.
 * @throws StepError where it was rolled back; the old replicas served throughout
 */
export async function updateService(runner: Runner, service: string, image: string | undefined): Promise<void> {
  const { docker, project, say } = runner;
  const current = await imageOf(runner, service);
  if (image !== undefined && image === current) {
    say(`${shortName(service)}: runs ${image} already`);
    return;
  }
  say(`${shortName(service)}: ${image === undefined ? 'replacing its replicas' : `changing to ${image}`}, start first`);
  await docker.run([
    ...['service', 'update', '--detach', '--quiet', '--no-resolve-image'],
    ...(image === undefined ? ['--force'] : ['--image', image]),
    ...['--update-order', 'start-first', '--update-parallelism', '1', '--update-failure-action', 'rollback'],
    fullName(runner, service),
  ]);
  await settled(runner, service, 'update');
  if (image !== undefined) {
    project.memory.remember(service, { image, previous: current });
  }
  say(`${shortName(service)}: done`);
}

/**
 * Back to the image before the last deploy, by an update. The swarm's own rollback goes back one change of any kind, and
 * after a `scale` would undo that instead; it is left for where nothing is remembered.
 */
export async function rollbackService(runner: Runner, service: string): Promise<void> {
  const { docker, project, say } = runner;
  const { previous } = project.memory.of(service);
  if (previous !== undefined) return updateService(runner, service, previous);
  say(`${shortName(service)}: going back to what the swarm knows of before`);
  await docker.run(['service', 'rollback', '--detach', '--quiet', fullName(runner, service)]);
  await settled(runner, service, 'rollback');
  say(`${shortName(service)}: runs ${await imageOf(runner, service)} again`);
}

/** Another number of replicas; remembered, so that the next deployment of the stack does not forget it. */
export async function scaleService(runner: Runner, service: string, count: number): Promise<void> {
  const { docker, project, say } = runner;
  await docker.run(['service', 'scale', '--detach', `${fullName(runner, service)}=${count}`]);
  project.memory.remember(service, { count });
  await settled(runner, service);
  say(`${shortName(service)}: ${count} replicas`);
}

/** Where an update stands, from its state as the engine tells it. */
export function endOf(state: string | undefined, running: string, awaited: Awaited): UpdateEnd | undefined {
  if (state === 'rollback_completed') return awaited === 'update' ? 'rolled back' : 'done';
  if (state === 'paused' || state === 'rollback_paused') return 'stuck';
  if (state === 'updating' || state === 'rollback_started') return undefined;
  if (state !== 'completed' && awaited !== 'running') return undefined;
  const [there = '', wanted = ''] = running.split(' ')[0]?.split('/') ?? [];
  return there === wanted && wanted !== '' ? 'done' : undefined;
}

async function settled(runner: Runner, service: string, awaited: Awaited = 'running'): Promise<void> {
  const { docker, signal, healthyWithinMs } = runner;
  const full = fullName(runner, service);
  const short = shortName(service);
  const replicas = Number((await listed(runner, full)).split('/')[1]?.split(' ')[0] ?? 1);
  const giveUpAtMs = performance.now() + healthyWithinMs * Math.max(1, replicas);
  let doneSinceMs = Number.POSITIVE_INFINITY;
  for (;;) {
    const inspected = await docker.run(['service', 'inspect', '--format', '{{json .UpdateStatus}}', full]);
    const status: UpdateStatus = JSON.parse(inspected.trim() || 'null') ?? {};
    const end = endOf(status.State, await listed(runner, full), awaited);
    doneSinceMs = end === 'done' ? Math.min(doneSinceMs, performance.now()) : Number.POSITIVE_INFINITY;
    if (performance.now() - doneSinceMs >= SETTLED_MS) return;
    if (end === 'rolled back' || end === 'stuck' || performance.now() > giveUpAtMs) {
      const verdict =
        end === 'rolled back'
          ? 'the new replicas did not become healthy, and the swarm went back: what ran before serves on'
          : 'the change has not ended; what is healthy serves on';
      throw new StepError(`${short}: ${verdict}. See: docker service ps --no-trunc ${full}, and fleet logs ${short}`);
    }
    await delay(POLL_MS, undefined, { signal });
  }
}

/** The image that a service of the stack runs now. */
export async function imageOf({ docker, project }: Runner, service: string): Promise<string> {
  const format = '{{.Spec.TaskTemplate.ContainerSpec.Image}}';
  return (await docker.run(['service', 'inspect', '--format', format, `${project.name}_${service}`])).trim();
}

async function listed({ docker }: Runner, full: string): Promise<string> {
  const lines = await docker.run(['service', 'ls', '--filter', `name=${full}`, '--format', '{{.Name}} {{.Replicas}}']);
  const line = lines.split('\n').find((candidate) => candidate.startsWith(`${full} `));
  return line?.slice(full.length + 1) ?? '';
}

function fullName({ project }: Runner, service: string): string {
  return `${project.name}_${service}`;
}
