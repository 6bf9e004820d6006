import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './stage.ts';

const run = promisify(execFile);

/** Words that lie about where an image is built and that no image may have. */
export const BUILD_CANARIES: readonly string[] = [
  'canary-in-dotenv-5e1f',
  'canary-in-secrets-a9c3',
  'canary-in-key-07bd',
];

export const REVISION = '0123456789abcdef0123456789abcdef01234567';
export const SOURCE = 'https://example.org/mcp-bridge-fleet';

/** The image of one bridge, or of all, as the tests build it. */
export const imageOf = (bridge: string): string => `mcp-bridge-${bridge}:test`;

/**
 * Builds the image of each bridge (`all`: of every bridge) from a copy of the checkout in which secrets lie wherever
 * somebody could leave one. @throws Error with the end of the build's output
 */
export async function buildImages(bridges: readonly string[]): Promise<void> {
  const context = mkdtempSync(join(tmpdir(), 'image-'));
  try {
    const isOurs = (path: string): boolean => !/\/(node_modules|\.data|\.cache)(\/|$)/.test(path.slice(ROOT.length));
    for (const part of ['package.json', 'package-lock.json', 'core', 'bridges', 'Dockerfile.bridge', '.dockerignore']) {
      cpSync(join(ROOT, part), join(context, part), { recursive: true, filter: isOurs, preserveTimestamps: true });
    }
    const [dotenv, secret, key] = BUILD_CANARIES;
    for (const folder of ['.', 'core/config', 'bridges/slack']) {
      writeFileSync(join(context, folder, '.env'), `SLACK_BOT_TOKEN=xoxb-${dotenv}\n`);
      writeFileSync(join(context, folder, '.env.production'), `SLACK_BOT_TOKEN=xoxb-${dotenv}\n`);
      mkdirSync(join(context, folder, 'secrets'));
      writeFileSync(join(context, folder, 'secrets/slack_bot_token'), `xoxb-${secret}`);
      writeFileSync(join(context, folder, 'server.key'), `${key}`);
      writeFileSync(join(context, folder, 'service-account.pem'), `${key}`);
    }
    mkdirSync(join(context, 'compose/secrets'), { recursive: true });
    writeFileSync(join(context, 'compose/secrets/slack_bot_token'), `xoxb-${secret}`);
    writeFileSync(join(context, 'keys.json'), `${key}`);
    for (const bridge of bridges) await build(context, bridge);
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

async function build(context: string, bridge: string): Promise<void> {
  const buildArgs = {
    ...(process.env.NODE_IMAGE === undefined ? {} : { NODE_IMAGE: process.env.NODE_IMAGE }),
    ...(bridge === 'all' ? {} : { BRIDGE: bridge }),
    REVISION,
    SOURCE,
  };
  const args = Object.entries(buildArgs).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  const env = { ...process.env, DOCKER_BUILDKIT: '1' };
  const command = ['build', '--file', join(context, 'Dockerfile.bridge'), ...args, '--tag', imageOf(bridge), context];
  await run('docker', command, { env, maxBuffer: 64 << 20, timeout: 600_000 }).catch((error) => {
    throw new Error(`docker build of ${bridge} failed: ${String(error.stderr).slice(-3000)}`);
  });
}
