import { removeStack, requireSwarm } from '#core/deploy/swarm.ts';
import { EXIT } from './exit-codes.ts';
import { type OperationOptions, operate, Refusal } from './operation.ts';
import { print } from './say.ts';

/** What `fleet down` is told. */
export interface DownOptions extends OperationOptions {
  readonly volumes?: true;
  readonly yes?: true;
}

/** Longest drain of a container, and time for the rest. */
const DOWN_TIMEOUT_MS = 5 * 60_000;

/** `fleet down`: ends all containers, each with its time to drain; data and secrets stay unless `--volumes`. */
export async function down(options: DownOptions): Promise<number> {
  return operate(options, async (runner) => {
    const { docker, project, say } = runner;
    if (options.volumes && options.yes !== true) {
      throw new Refusal(
        '--volumes throws away what Redis and PostgreSQL hold: records of keyed calls, the audit, memories. ' +
          'If that is meant: fleet down --volumes --yes',
      );
    }
    if (options.volumes && project.mode === 'swarm') {
      throw new Refusal(
        'a swarm leaves volumes on the nodes where they are, out of reach from here: fleet down, then on the node ' +
          `labelled fleet-stores: docker volume rm ${project.name}_redis ${project.name}_postgres`,
      );
    }
    if (options.dryRun) {
      print(`stop and remove all containers of ${project.name}${options.volumes ? ', and its volumes' : ''}`);
      return EXIT.ok;
    }
    if (project.mode === 'swarm') await requireSwarm(runner);
    say(`stopping ${project.name}; calls in flight are finished first`);
    if (project.mode === 'swarm') await removeStack(runner);
    else {
      const volumes = options.volumes ? ['--volumes'] : [];
      await docker.run(project.compose('down', '--remove-orphans', ...volumes), { timeoutMs: DOWN_TIMEOUT_MS });
    }
    say(options.volumes ? 'all is gone, data too' : 'down; data and secrets are kept. Back: fleet up');
    return EXIT.ok;
  });
}
