import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { refuseChangedNetworks } from '#core/deploy/change-image.ts';
import { createSecrets, SecretsError, vendorSecretsOf } from '#core/deploy/create-secrets.ts';
import { available, bridgeOf, buildImage } from '#core/deploy/images.ts';
import { planUp } from '#core/deploy/plan-up.ts';
import { isServing, type Service } from '#core/deploy/replica.ts';
import { roleOf, shortName } from '#core/deploy/role.ts';
import { type Runner, runSteps, StepError } from '#core/deploy/run-steps.ts';
import { takeSnapshot } from '#core/deploy/snapshot.ts';
import { deployStack, requireSwarm } from '#core/deploy/swarm.ts';
import { bridges } from '../../bridges/index.ts';
import { EXIT } from './exit-codes.ts';
import { type OperationOptions, operate, printPlan, Refusal, servicesNamed } from './operation.ts';
import { print } from './say.ts';

/** What `fleet up` is told. */
export interface UpOptions extends OperationOptions {
  /** Known, in order to be refused with a reason. */
  readonly forceRecreate?: true;
}

/**
 * `fleet up`: from what runs to what the files say. Secrets and images that are missing are made; bridges that have
 * changed are exchanged one replica at a time. Ends with 1 where something is not healthy then.
 */
export async function up(names: readonly string[], options: UpOptions): Promise<number> {
  return operate(options, async (runner) => {
    if (options.forceRecreate) {
      throw new Refusal(
        '--force-recreate takes down every replica at once, and with them every call in flight. ' +
          'New containers one at a time, without a lost call: fleet restart NAME',
      );
    }
    const { docker, project, say } = runner;
    if (project.mode !== 'dev' && options.file === undefined && !options.dryRun) await makeSecrets(runner);
    if (project.mode === 'swarm') return upSwarm(runner, options);
    const snapshot = await takeSnapshot(docker, project);
    refuseChangedNetworks(snapshot);
    const chosen = choose(snapshot.services, names);
    const missing = missingImages(chosen);
    if (options.dryRun) {
      for (const image of missing) print(`build or pull ${image}`);
      printPlan(planUp(chosen).steps);
      return EXIT.ok;
    }
    for (const image of missing) await provide(runner, image);
    project.memory.keepChoice();
    // Looked at anew: an image that was not there has an id only now.
    const { steps, notes } = planUp(choose((await takeSnapshot(docker, project)).services, names));
    await runSteps(runner, steps);
    for (const note of notes) say(note);
    return tellWhereToLook(runner, choose((await takeSnapshot(docker, project)).services, names));
  });
}

/** The bridges that are named, with everything that is no bridge; all where none is named. */
function choose(services: readonly Service[], names: readonly string[]): readonly Service[] {
  if (names.length === 0) return services;
  const named = new Set(
    servicesNamed(
      names,
      services.map(({ name }) => name),
    ),
  );
  return services.filter(({ name }) => named.has(name) || roleOf(name) !== 'bridge');
}

/** Of ours only: what others publish is pulled by compose. */
function missingImages(services: readonly Service[]): readonly string[] {
  const missing = services.filter(({ wanted }) => wanted.count > 0 && wanted.imageId === undefined);
  return [...new Set(missing.map(({ wanted }) => wanted.image))].filter((image) => bridgeOf(image) !== false);
}

async function provide(runner: Runner, image: string): Promise<void> {
  const { docker, project, signal } = runner;
  if (project.environment.FLEET_REGISTRY && (await available(docker, image, signal))) return;
  if (!existsSync(join(project.root, 'Dockerfile.bridge'))) {
    throw new StepError(
      `there is no image ${image}, and no Dockerfile.bridge here to build it from; nothing was changed`,
    );
  }
  await buildImage(runner, image);
}

async function makeSecrets({ project, say }: Runner): Promise<void> {
  const folder = project.secretsFolder;
  const manifests = await Promise.all(Object.values(bridges).map((load) => load()));
  try {
    const { created, empty, apiKey } = await createSecrets({ folder, vendorSecrets: vendorSecretsOf(manifests) });
    if (created.length > 0)
      say(`made ${created.length} files in ${relative(project.root, folder)}: ${created.join(', ')}`);
    if (empty.length > 0) say(`still to be written, else their bridges answer 503 not_configured: ${empty.join(', ')}`);
    if (apiKey === undefined) return;
    say('the first key of callers follows on standard output; it is kept nowhere, so keep it now');
    print(apiKey);
  } catch (error) {
    if (!(error instanceof SecretsError)) throw error;
    throw new StepError(error.message, [], { cause: error });
  }
}

async function upSwarm(runner: Runner, { dryRun }: UpOptions): Promise<number> {
  await requireSwarm(runner);
  if (dryRun) {
    print(`deploy the stack ${runner.project.name}; the swarm replaces what differs, start first`);
    return EXIT.ok;
  }
  runner.project.memory.keepChoice();
  await deployStack(runner);
  runner.say('all services run. See: docker stack services, fleet status');
  return EXIT.ok;
}

/** What runs, where it is reached, and one command to copy. */
async function tellWhereToLook(runner: Runner, services: readonly Service[]): Promise<number> {
  const { docker, say } = runner;
  const counted = services
    .filter(({ wanted }) => wanted.count > 0)
    .map((service) => ({ ...service, serving: service.replicas.filter(isServing).length }));
  const sick = counted.filter(({ serving, wanted }) => serving < wanted.count);
  const well = counted.filter(({ name, serving }) => roleOf(name) === 'bridge' && serving > 0);
  say(`healthy: ${well.map(({ name, serving }) => `${shortName(name)} ${serving}`).join(', ') || 'no bridge'}`);
  const front = services.find(({ name }) => name === 'front')?.replicas.find(isServing);
  const url = front === undefined ? undefined : urlOf(await docker.run(['port', front.id]));
  if (url !== undefined) {
    say(`look at ${url}, fleet status, fleet logs -f`);
    for (const { name } of well.slice(0, 1))
      say(await exampleCall(url, shortName(name), runner.project.mode === 'dev'));
  }
  for (const { name, serving, wanted } of sick) {
    say(`${shortName(name)}: ${serving} of ${wanted.count} healthy: fleet logs ${shortName(name)}, fleet doctor`);
  }
  return sick.length === 0 ? EXIT.ok : EXIT.differs;
}

/** From `docker port`: `8443/tcp -> 0.0.0.0:443`. Port 8443 of the front speaks TLS where that is on. */
function urlOf(ports: string): string | undefined {
  const found = new Map<string, string>();
  for (const [, inside = '', outside = ''] of ports.matchAll(/^(\d+)\/tcp -> .*:(\d+)$/gm)) {
    if (!found.has(inside)) found.set(inside, outside);
  }
  const tls = found.get('8443');
  const plain = found.get('8080');
  if (tls !== undefined) return `https://127.0.0.1:${tls}`;
  return plain === undefined ? undefined : `http://127.0.0.1:${plain}`;
}

async function exampleCall(url: string, bridge: string, open: boolean): Promise<string> {
  const example = (await bridges[bridge]?.())?.example;
  const address = `${url}/${bridge}/mcp/tools${example === undefined ? '' : `/${example.tool}`}`;
  const insecure = url.startsWith('https:') ? ' -k' : '';
  const key = open ? '' : ' -H "X-API-Key: $KEY"';
  const body =
    example === undefined ? '' : ` -H 'Content-Type: application/json' -d '${JSON.stringify(example.arguments)}'`;
  return `try: curl${insecure} ${address}${key}${body}`;
}
