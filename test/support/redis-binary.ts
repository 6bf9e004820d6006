import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

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

const INSTALL = `The tests need a real Redis: install one, or name one in TEST_REDIS_SERVER.
  Debian, Ubuntu   apt-get install redis-server
  Fedora, RHEL     dnf install valkey   (or redis)
  Alpine           apk add redis        (or valkey)
  macOS            brew install redis`;

let found: Promise<string> | undefined;

/**
 * The path of `redis-server` or `valkey-server`: TEST_REDIS_SERVER, else the first in PATH or the usual folders.
 * @throws Error saying what to install
 */
export function redisBinary(): Promise<string> {
  found ??= find();
  return found;
}

async function find(): Promise<string> {
  const named = process.env.TEST_REDIS_SERVER;
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named;
    throw new Error('TEST_REDIS_SERVER names no file that can be run');
  }
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''), ...MORE_FOLDERS];
  for (const name of NAMES) {
    for (const folder of folders) {
      if (await isExecutable(join(folder, name))) return join(folder, name);
    }
  }
  throw new Error(INSTALL);
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
