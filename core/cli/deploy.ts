import { changeImage, planImage, serviceOf, type Target } from '#core/deploy/change-image.ts';
import { isTag, withTag } from '#core/deploy/images.ts';
import { planReplacement } from '#core/deploy/plan-replacement.ts';
import { planService } from '#core/deploy/plan-up.ts';
import { roleOf } from '#core/deploy/role.ts';
import { type Runner, runSteps, StepError } from '#core/deploy/run-steps.ts';
import { takeSnapshot } from '#core/deploy/snapshot.ts';
import { imageOf, requireSwarm, stackServices, updateService } from '#core/deploy/swarm.ts';
import { EXIT } from './exit-codes.ts';
import { type OperationOptions, operate, printPlan, Refusal, servicesNamed } from './operation.ts';

/** What `fleet deploy` is told. */
export interface DeployOptions extends OperationOptions {
  readonly tag?: string;
  readonly build?: true;
  /** Also what cannot be done without losing calls. */
  readonly yes?: true;
}

/** `fleet deploy`: another image or other settings, one replica at a time, each begun before an old one ends. */
export async function deploy(names: readonly string[], options: DeployOptions): Promise<number> {
  return operate(options, async (runner) => {
    if (options.tag !== undefined && options.build) throw new Refusal('--tag and --build are two ways; say one');
    if (options.tag !== undefined && !isTag(options.tag)) throw new Refusal(`${options.tag} is no tag of an image`);
    if (runner.project.mode === 'swarm') return deployToSwarm(runner, names, options);
    const { services } = await takeSnapshot(runner.docker, runner.project);
    for (const name of servicesNamed(
      names,
      services.map((service) => service.name),
    )) {
      if (roleOf(name) !== 'bridge') await deployOther(runner, name, options);
      else if (options.dryRun) printPlan(await planImage(runner, name, targetOf(options)));
      else await changeImage(runner, name, targetOf(options));
    }
    return EXIT.ok;
  });
}

/** `fleet restart`: the same image and settings in new containers, as after a secret was turned. */
export async function restart(names: readonly string[], options: OperationOptions): Promise<number> {
  return operate(options, async (runner) => {
    const { docker, project } = runner;
    if (project.mode === 'swarm') return deployToSwarm(runner, names, options);
    const snapshot = await takeSnapshot(docker, project);
    for (const name of servicesNamed(
      names,
      snapshot.services.map((service) => service.name),
    )) {
      if (roleOf(name) !== 'bridge') {
        throw new Refusal(`${name} is one process: fleet deploy ${name} reloads it where it can, and says what else`);
      }
      const steps = planReplacement(serviceOf(snapshot, name), () => true);
      if (options.dryRun) printPlan(steps);
      else await runSteps(runner, steps);
    }
    return EXIT.ok;
  });
}

/** The front and egress are reloaded; what can only be made anew needs `--yes`. */
async function deployOther(runner: Runner, name: string, { tag, build, yes, dryRun }: DeployOptions): Promise<void> {
  if (tag !== undefined || build)
    throw new Refusal(`${name} is none of our images; its variable in compose/.env names it`);
  const { steps, notes } = planService(serviceOf(await takeSnapshot(runner.docker, runner.project), name), yes);
  if (dryRun) printPlan(steps);
  else await runSteps(runner, steps);
  for (const note of notes) runner.say(note);
}

async function deployToSwarm(runner: Runner, names: readonly string[], options: DeployOptions): Promise<number> {
  await requireSwarm(runner);
  if (options.build)
    throw new StepError('a swarm takes images from a registry: build and push them, then deploy --tag');
  for (const name of servicesNamed(names, await stackServices(runner))) {
    if (roleOf(name) !== 'bridge') {
      throw new Refusal(
        `${name} must not run twice, so it is not exchanged start first: change the stack, then fleet up`,
      );
    }
    if (options.dryRun) runner.say(`would update ${name}, start first, rolled back by the swarm where it fails`);
    else
      await updateService(
        runner,
        name,
        options.tag === undefined ? undefined : withTag(await imageOf(runner, name), options.tag),
      );
  }
  return EXIT.ok;
}

function targetOf({ tag, build }: DeployOptions): Target {
  if (tag !== undefined) return { kind: 'tag', tag };
  return { kind: build ? 'build' : 'as configured' };
}
