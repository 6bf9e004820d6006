import { access, constants } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';

const NAMES = ['redis-server', 'valkey-server'] as const;
/** Where package managers put servers that are not in everybody's PATH. */
const MORE_FOLDERS = [
  '/usr/sbin',
  '/usr/local/sbin',
  '/usr/local/bin',
  '/opt/homebrew/bin',
  '/opt/local/bin',
  '/snap/bin',
];

/** Where the tests put one of their own on a machine that has none (see provide-redis.ts). */
export const OWN_REDIS = resolve(import.meta.dirname, '../../node_modules/.cache/redis');

const INSTALL = `The tests need a real Redis: install one, or name one in TEST_REDIS_SERVER.
  Debian, Ubuntu   apt-get install redis-server
  Fedora, RHEL     dnf install valkey   (or redis)
  Alpine           apk add redis        (or valkey)
  macOS            brew install redis`;

let found: Promise<string> | undefined;

/**
 * The path of `redis-server` or `valkey-server`: TEST_REDIS_SERVER, else the first in PATH or the usual folders, else
 * the tests' own. TEST_REDIS_FOLDERS takes the place of PATH and the usual folders.
 * @throws Error saying what to install
 */
export function redisBinary(): Promise<string> {
  found ??= findRedis().then((path) => {
    if (path === undefined) throw new Error(INSTALL);
    return path;
  });
  return found;
}

/**
 * As {@link redisBinary}, looked for anew; undefined where there is none.
 * @throws Error where TEST_REDIS_SERVER names none
 */
export async function findRedis(): Promise<string | undefined> {
  const named = process.env.TEST_REDIS_SERVER;
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named;
    throw new Error('TEST_REDIS_SERVER names no file that can be run');
  }
  const instead = process.env.TEST_REDIS_FOLDERS;
  const folders = instead === undefined ? [...split(process.env.PATH), ...MORE_FOLDERS] : split(instead);
  for (const name of NAMES) {
    for (const folder of [...folders, OWN_REDIS]) {
      if (await isExecutable(join(folder, name))) return join(folder, name);
    }
  }
  return undefined;
}

function split(path = ''): string[] {
  return path.split(delimiter).filter((folder) => folder !== '');
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
