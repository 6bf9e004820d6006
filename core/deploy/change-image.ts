import { available, buildImage, lastingName, withTag } from '#core/deploy/images.ts';
import { planReplacement } from '#core/deploy/plan-replacement.ts';
import { isOld, isServing, type Service } from '#core/deploy/replica.ts';
import { shortName } from '#core/deploy/role.ts';
import { type Runner, runSteps, StepError } from '#core/deploy/run-steps.ts';
import { imageId, imageInFiles, type Snapshot, takeSnapshot } from '#core/deploy/snapshot.ts';
import type { Step } from '#core/deploy/step.ts';

/** Which image a bridge is to run from now on. */
export type Target =
  | { readonly kind: 'as configured' }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'build' }
  /** What ran before the last change. */
  | { readonly kind: 'previous' };

/**
 * Gives a bridge another image, one replica at a time, and remembers what ran before. Where a new replica does not
 * become healthy everything is remembered as it was: the old ones serve on, and so they would after `fleet up`.
 *
 * @throws StepError where there is no such image, or a step failed
 * @throws DockerError
 */
export async function changeImage(runner: Runner, service: string, target: Target): Promise<void> {
  const { docker, project, signal } = runner;
  const { memory } = project;
  const before = memory.of(service);
  const short = shortName(service);
  const wanted = await targetImage(runner, service, target);
  const idBefore = await imageId(docker, wanted.image);
  if (target.kind === 'build') await buildImage(runner, wanted.image);
  else if (!(await available(docker, wanted.image, signal))) {
    throw new StepError(
      `${short}: there is no image ${wanted.image} here, and it cannot be pulled; nothing was changed. ` +
        `Build it: fleet deploy ${short} --build`,
    );
  }
  memory.remember(service, { image: wanted.override });
  try {
    const now = serviceOf(await takeSnapshot(docker, project), service);
    const replaced = now.replicas.find((replica) => isServing(replica) && replica.imageId !== now.wanted.imageId);
    if (replaced !== undefined) memory.remember(service, { previous: await lastingName(docker, replaced) });
    const steps = planReplacement(now, (replica) => isOld(replica, now));
    if (steps.length === 0) runner.say(`${short}: ${now.replicas.length} replicas run ${wanted.image} already`);
    await runSteps(runner, steps);
    if (steps.length > 0)
      runner.say(`${short}: ${now.wanted.count} replicas run ${wanted.image}; back: fleet rollback ${short}`);
  } catch (error) {
    // Broken off by a person it goes on with the same command; only what has failed is taken back.
    if (!signal.aborted) {
      memory.remember(service, { image: before.image, previous: before.previous });
      if (target.kind === 'build' && idBefore !== undefined) await docker.run(['tag', idBefore, wanted.image]);
    }
    throw error;
  }
}

/** What {@link changeImage} would do, as far as it can be known without an image that is still to be built or pulled. */
export async function planImage(runner: Runner, service: string, target: Target): Promise<readonly Step[]> {
  const { image } = await targetImage(runner, service, target);
  const now = serviceOf(await takeSnapshot(runner.docker, runner.project), service);
  const id = target.kind === 'build' ? 'to be built' : ((await imageId(runner.docker, image)) ?? 'to be pulled');
  const other = image !== now.wanted.image;
  const then: Service = {
    ...now,
    wanted: { ...now.wanted, image, imageId: id, configHash: other ? 'another' : now.wanted.configHash },
  };
  return planReplacement(then, (replica) => isOld(replica, then));
}

/**
 * The service of a snapshot.
 * @throws StepError where a change of the files would take a network away from under it
 */
export function serviceOf(snapshot: Snapshot, name: string): Service {
  refuseChangedNetworks(snapshot);
  const service = snapshot.services.find((candidate) => candidate.name === name);
  if (service === undefined) throw new StepError(`there is no service ${name} in the compose files`);
  return service;
}

/** @throws StepError naming networks that compose would make anew, with all their containers stopped meanwhile */
export function refuseChangedNetworks({ changedNetworks }: Snapshot): void {
  if (changedNetworks.length === 0) return;
  throw new StepError(
    `the files change ${changedNetworks.join(', ')}: a network in use cannot be changed without stopping all its ` +
      'containers at once. Nothing was touched. When calls may be lost: fleet down, then fleet up',
  );
}

async function targetImage(
  { docker, project }: Runner,
  service: string,
  target: Target,
): Promise<{ readonly image: string; readonly override: string | undefined }> {
  const remembered = project.memory.of(service);
  const configured = await imageInFiles(docker, project, service);
  const image = imageOf(target, configured, remembered);
  if (image === undefined) {
    const short = shortName(service);
    throw new StepError(
      `${short}: nothing is known of what ran before; nothing was changed. Name a tag: fleet deploy ${short} --tag …`,
    );
  }
  return { image, override: image === configured ? undefined : image };
}

function imageOf(
  target: Target,
  configured: string,
  remembered: { readonly image?: string | undefined; readonly previous?: string | undefined },
): string | undefined {
  switch (target.kind) {
    case 'as configured':
      return remembered.image ?? configured;
    case 'tag':
      return withTag(configured, target.tag);
    case 'build':
      return configured;
    case 'previous':
      return remembered.previous;
  }
}
