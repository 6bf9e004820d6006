import { changeImage, planImage } from '#core/deploy/change-image.ts';
import { roleOf } from '#core/deploy/role.ts';
import { takeSnapshot } from '#core/deploy/snapshot.ts';
import { requireSwarm, rollbackService, stackServices } from '#core/deploy/swarm.ts';
import { EXIT } from './exit-codes.ts';
import { type OperationOptions, operate, printPlan, Refusal, servicesNamed } from './operation.ts';

/** `fleet rollback`: back to the image before the last deploy, the way it came; twice is forward again. */
export async function rollback(names: readonly string[], options: OperationOptions): Promise<number> {
  return operate(options, async (runner) => {
    const { docker, project } = runner;
    if (project.mode === 'swarm') {
      await requireSwarm(runner);
      for (const name of servicesNamed(names, await stackServices(runner))) {
        if (options.dryRun) runner.say(`would roll ${name} back to what the swarm knows of before`);
        else await rollbackService(runner, name);
      }
      return EXIT.ok;
    }
    const { services } = await takeSnapshot(docker, project);
    for (const name of servicesNamed(
      names,
      services.map((service) => service.name),
    )) {
      if (roleOf(name) !== 'bridge')
        throw new Refusal(`${name} is none of our images; set its variable back in compose/.env`);
      if (options.dryRun) printPlan(await planImage(runner, name, { kind: 'previous' }));
      else await changeImage(runner, name, { kind: 'previous' });
    }
    return EXIT.ok;
  });
}
