import { takeSnapshot } from '#core/deploy/snapshot.ts';
import { stackServices } from '#core/deploy/swarm.ts';
import { EXIT } from './exit-codes.ts';
import { type OperationOptions, operate, Refusal, servicesNamed } from './operation.ts';

/** What `fleet logs` is told. */
export interface LogsOptions extends OperationOptions {
  readonly follow?: true;
  readonly tail: string;
}

/** `fleet logs`: what the replicas of bridges, or all services, have said; ends with ^C. */
export async function logs(names: readonly string[], { follow, tail, ...options }: LogsOptions): Promise<number> {
  if (!/^(all|\d{1,7})$/.test(tail))
    return operate(options, () => Promise.reject(new Refusal('--tail is a number or all')));
  return operate(
    options,
    async ({ docker, project }) => {
      const flags = [...(follow ? ['--follow'] : []), '--tail', tail];
      if (project.mode === 'swarm') {
        const services = servicesNamed(names, await stackServices({ docker, project }));
        if (services.length !== 1)
          throw new Refusal('a swarm tells the logs of one service at a time: fleet logs NAME');
        await docker.hand(['service', 'logs', ...flags, `${project.name}_${services[0]}`]);
        return EXIT.ok;
      }
      const { services } = await takeSnapshot(docker, project);
      const chosen = servicesNamed(
        names,
        services.map(({ name }) => name),
      );
      await docker.hand(project.compose('logs', ...flags, ...chosen));
      return EXIT.ok;
    },
    { exclusive: false },
  );
}
