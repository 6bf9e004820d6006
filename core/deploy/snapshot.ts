import { type Docker, linesOf } from '#core/deploy/docker.ts';
import type { Project } from '#core/deploy/project.ts';
import type { ContainerState, Health, Replica, Service } from '#core/deploy/replica.ts';

/** A network as the files have it. */
export interface WantedNetwork {
  readonly name: string;
  readonly internal: boolean;
  readonly driver: string | undefined;
}

/** What the files say, and what runs. */
export interface Snapshot {
  readonly services: readonly Service[];
  /** Networks that are there and other than the files say: compose would stop all their containers to make them anew. */
  readonly changedNetworks: readonly string[];
}

interface ComposeConfig {
  readonly services: Readonly<
    Record<
      string,
      { readonly image?: string; readonly scale?: number; readonly deploy?: { readonly replicas?: number } }
    >
  >;
  readonly networks?: Readonly<
    Record<
      string,
      { readonly name: string; readonly internal?: boolean; readonly driver?: string; readonly external?: boolean }
    >
  >;
}

/** What we read of `docker inspect`. */
interface Container {
  readonly Id: string;
  readonly Name: string;
  readonly Image: string;
  readonly RestartCount: number;
  readonly State: { readonly Status: ContainerState; readonly Health?: { readonly Status: Health } };
  readonly Config: {
    readonly Image: string;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly StopTimeout?: number;
  };
}

const LABEL = 'com.docker.compose';
/** The engine's, where a container says nothing. */
const DEFAULT_GRACE_S = 10;

/**
 * Takes the snapshot that plans are made from.
 * @throws DockerError where the files are wrong or the engine cannot be reached
 */
export async function takeSnapshot(docker: Docker, project: Project): Promise<Snapshot> {
  const [config, hashes, replicas] = await Promise.all([
    readConfig(docker, project),
    docker.run(project.compose('config', '--hash', '*')),
    listReplicas(docker, project),
  ]);
  const hashOf = new Map(hashes.split('\n').map((line) => line.split(' ') as [string, string]));
  const images = await imageIds(docker, [...new Set(Object.values(config.services).map(({ image }) => image ?? ''))]);
  const services = Object.entries(config.services).map(([name, service]): Service => {
    const image = service.image ?? `${project.name}-${name}`;
    return {
      name,
      wanted: {
        count: service.deploy?.replicas ?? service.scale ?? 1,
        image,
        imageId: images.get(image),
        configHash: hashOf.get(name) ?? '',
      },
      replicas: replicas.get(name) ?? [],
    };
  });
  return { services, changedNetworks: await changedNetworks(docker, config) };
}

/**
 * The image that the files name for a service, whatever was deployed since.
 * @throws DockerError
 */
export async function imageInFiles(docker: Docker, project: Project, service: string): Promise<string> {
  const config: ComposeConfig = JSON.parse(await docker.run(project.filesAlone('config', '--format', 'json')));
  return config.services[service]?.image ?? `${project.name}-${service}`;
}

/**
 * What runs under the name of a project, by service, in the order of their numbers; ended containers too.
 * @throws DockerError
 */
export async function listReplicas(
  docker: Docker,
  project: Project,
  service?: string,
): Promise<ReadonlyMap<string, readonly Replica[]>> {
  const filters = [`label=${LABEL}.project=${project.name}`, `label=${LABEL}.oneoff=False`];
  if (service !== undefined) filters.push(`label=${LABEL}.service=${service}`);
  const listed = await docker.run([
    ...['ps', '--all', '--no-trunc', '--format', '{{.ID}}'],
    ...filters.flatMap((filter) => ['--filter', filter]),
  ]);
  const found = new Map<string, Replica[]>();
  for (const container of await inspect(docker, linesOf(listed))) {
    const name = container.Config.Labels?.[`${LABEL}.service`] ?? '';
    found.set(name, [...(found.get(name) ?? []), replicaOf(container)]);
  }
  for (const replicas of found.values()) replicas.sort((a, b) => a.number - b.number);
  return found;
}

/** The replica as it is now; undefined when it is gone. */
export async function lookAt(docker: Docker, id: string): Promise<Replica | undefined> {
  const [container] = await inspect(docker, [id]);
  return container === undefined ? undefined : replicaOf(container);
}

/** The id of an image on this engine; undefined where there is none of that name. */
export async function imageId(docker: Docker, image: string): Promise<string | undefined> {
  return (await imageIds(docker, [image])).get(image);
}

function replicaOf({ Id, Name, Image, RestartCount, State, Config }: Container): Replica {
  const labels = Config.Labels ?? {};
  return {
    id: Id,
    name: Name.replace(/^\//, ''),
    number: Number(labels[`${LABEL}.container-number`] ?? 0),
    state: State.Status,
    health: State.Health?.Status ?? 'none',
    restarts: RestartCount,
    configHash: labels[`${LABEL}.config-hash`] ?? '',
    image: Config.Image,
    imageId: Image,
    graceMs: (Config.StopTimeout ?? DEFAULT_GRACE_S) * 1000,
  };
}

async function readConfig(docker: Docker, project: Project): Promise<ComposeConfig> {
  return JSON.parse(await docker.run(project.compose('config', '--format', 'json')));
}

/** Those of the containers that still are there: one may go between the list and the look. */
async function inspect(docker: Docker, ids: readonly string[]): Promise<readonly Container[]> {
  if (ids.length === 0) return [];
  try {
    return JSON.parse(await docker.run(['inspect', '--type', 'container', ...ids]));
  } catch (error) {
    if (ids.length > 1) return (await Promise.all(ids.map((id) => inspect(docker, [id])))).flat();
    if (error instanceof Error && error.message.includes('No such')) return [];
    throw error;
  }
}

async function imageIds(docker: Docker, images: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const image of images.filter(Boolean)) {
    const [id] = (await docker.run(['images', '--no-trunc', '--quiet', image])).split('\n');
    if (id) found.set(image, id);
  }
  return found;
}

async function changedNetworks(docker: Docker, { networks = {} }: ComposeConfig): Promise<readonly string[]> {
  const wanted = Object.values(networks).filter(({ external }) => external !== true);
  const listed = await docker.run(['network', 'ls', '--no-trunc', '--format', '{{json .}}']);
  const there = new Map<string, { readonly Internal: string; readonly Driver: string }>();
  for (const line of linesOf(listed)) {
    const network: { Name: string; Internal: string; Driver: string } = JSON.parse(line);
    there.set(network.Name, network);
  }
  return wanted
    .filter(({ name, internal = false, driver }) => {
      const network = there.get(name);
      if (network === undefined) return false;
      return network.Internal !== String(internal) || (driver !== undefined && driver !== network.Driver);
    })
    .map(({ name }) => name);
}
