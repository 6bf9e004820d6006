import { join } from 'node:path';
import { type Docker, DockerError } from '#core/deploy/docker.ts';
import type { Project } from '#core/deploy/project.ts';
import type { Replica } from '#core/deploy/replica.ts';
import { imageId } from '#core/deploy/snapshot.ts';

/** What a build needs. */
export interface Builder {
  readonly docker: Docker;
  readonly project: Project;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

const BUILD_TIMEOUT_MS = 30 * 60_000;
const PULL_TIMEOUT_MS = 10 * 60_000;
const SHORT_ID = 12;

/** The same repository under another tag; a colon before the last slash belongs to a registry's port. */
export function withTag(image: string, tag: string): string {
  const [plain = image] = image.split('@');
  const colon = plain.indexOf(':', plain.lastIndexOf('/') + 1);
  return `${colon === -1 ? plain : plain.slice(0, colon)}:${tag}`;
}

/** Whether the registry would take it as a tag. */
export function isTag(text: string): boolean {
  return /^\w[\w.-]{0,127}$/.test(text);
}

/**
 * A name under which a replica's image can be had again: its own while that still means the same image, otherwise
 * one made for it, which also keeps it from being pruned.
 * @throws DockerError
 */
export async function lastingName(docker: Docker, replica: Replica): Promise<string> {
  if ((await imageId(docker, replica.image)) === replica.imageId) return replica.image;
  const name = withTag(replica.image, `was-${replica.imageId.replace('sha256:', '').slice(0, SHORT_ID)}`);
  await docker.run(['tag', replica.imageId, name]);
  return name;
}

/** The bridge an image of ours is built for: undefined for that of all bridges, `false` where it is none of ours. */
export function bridgeOf(image: string): string | undefined | false {
  const [, name] = /(?:^|\/)mcp-bridge-([a-z0-9-]+)(?::[^/]*)?$/.exec(image) ?? [];
  if (name === undefined) return false;
  return name === 'all' ? undefined : name;
}

/**
 * Builds an image of ours from the checkout.
 * @throws DockerError with the builder's last lines
 */
export async function buildImage({ docker, project, say, signal }: Builder, image: string): Promise<void> {
  const bridge = bridgeOf(image);
  const { NODE_IMAGE } = project.environment;
  const beganMs = performance.now();
  say(`building ${image}`);
  await docker.run(
    [
      ...['build', '--file', join(project.root, 'Dockerfile.bridge'), '--tag', image],
      ...(bridge ? ['--build-arg', `BRIDGE=${bridge}`] : []),
      ...(NODE_IMAGE ? ['--build-arg', `NODE_IMAGE=${NODE_IMAGE}`] : []),
      project.root,
    ],
    { timeoutMs: BUILD_TIMEOUT_MS, signal },
  );
  say(`built ${image} in ${((performance.now() - beganMs) / 1000).toFixed(1)} s`);
}

/** Whether the image is on this engine, or could be fetched. */
export async function available(docker: Docker, image: string, signal: AbortSignal): Promise<boolean> {
  if ((await imageId(docker, image)) !== undefined) return true;
  try {
    await docker.run(['pull', '--quiet', image], { timeoutMs: PULL_TIMEOUT_MS, signal });
    return true;
  } catch (error) {
    if (!(error instanceof DockerError) || signal.aborted) throw error;
    return false;
  }
}
