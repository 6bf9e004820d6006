import { refuseChangedNetworks } from '#core/deploy/change-image.ts';
import { planScale } from '#core/deploy/plan-scale.ts';
import { isLiving, isOld } from '#core/deploy/replica.ts';
import { roleOf, shortName } from '#core/deploy/role.ts';
import { type Runner, runSteps } from '#core/deploy/run-steps.ts';
import { takeSnapshot } from '#core/deploy/snapshot.ts';
import { requireSwarm, scaleService, stackServices } from '#core/deploy/swarm.ts';
import { EXIT } from './exit-codes.ts';
import { type OperationOptions, operate, printPlan, Refusal, servicesNamed } from './operation.ts';

/** What `fleet scale` is told beside `slack=5`. */
export interface ScaleOptions extends OperationOptions {
  readonly yes?: true;
}

const MAX_REPLICAS = 100;

/** `fleet scale slack=5 stripe=3`: another number of replicas, without touching those that stay. */
export async function scale(said: readonly string[], options: ScaleOptions): Promise<number> {
  return operate(options, async (runner) => {
    const wanted = said.map(numberOf);
    for (const { name, count } of wanted) {
      if (count === 0 && options.yes !== true) {
        throw new Refusal(`${name}=0 leaves nobody to answer its calls (503 no_replica); if that is meant: --yes`);
      }
    }
    if (runner.project.mode === 'swarm') await requireSwarm(runner);
    const snapshot = runner.project.mode === 'swarm' ? undefined : await takeSnapshot(runner.docker, runner.project);
    const known = snapshot?.services.map(({ name }) => name) ?? (await stackServices(runner));
    if (snapshot !== undefined) refuseChangedNetworks(snapshot);
    const services = servicesNamed(
      wanted.map(({ name }) => name),
      known,
    );
    for (const service of services) {
      if (roleOf(service) !== 'bridge') throw new Refusal(`${service} is one process and cannot be scaled`);
    }
    for (const [i, service] of services.entries()) {
      const count = wanted[i]?.count ?? 1;
      if (snapshot === undefined) {
        if (options.dryRun) runner.say(`would scale ${service} to ${count}`);
        else await scaleService(runner, service, count);
      } else await scaleTo(runner, service, count, options.dryRun === true);
    }
    return EXIT.ok;
  });
}

/** Remembered when it is so: a number that could not be reached would be tried by every `up` that follows. */
async function scaleTo(runner: Runner, name: string, count: number, dryRun: boolean): Promise<void> {
  const { services } = await takeSnapshot(runner.docker, runner.project);
  const service = services.find((candidate) => candidate.name === name);
  if (service === undefined) return;
  const steps = planScale(service, count);
  if (dryRun) {
    printPlan(steps);
    return;
  }
  await runSteps(runner, steps);
  runner.project.memory.remember(name, { count });
  const short = shortName(name);
  runner.say(`${short}: ${count} replicas; the next fleet up keeps that number`);
  if (count > 0 && service.replicas.some((replica) => isLiving(replica) && isOld(replica, service))) {
    runner.say(`${short}: some replicas are of an older image or older settings than the rest: fleet deploy ${short}`);
  }
}

function numberOf(said: string): { readonly name: string; readonly count: number } {
  const [, name, digits] = /^([a-z0-9-]+)=(\d{1,3})$/.exec(said) ?? [];
  const count = Number(digits);
  if (name !== undefined && count <= MAX_REPLICAS) return { name, count };
  throw new Refusal(`${said} is not NAME=NUMBER with a number up to ${MAX_REPLICAS}, such as slack=5`);
}
