/**
 * Before the first test, once for all files: on a machine without Redis, but with Debian's package tools, its packages
 * are fetched and unpacked below node_modules/.cache. Nothing is installed, and no right is needed for it.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findRedis, OWN_REDIS } from './redis-binary.ts';

const run = promisify(execFile);

/** The server is a link to a file of the second one. What else they need comes with them where it is missing. */
const PACKAGES = ['redis-server', 'redis-tools'] as const;
const PATIENCE_MS = 180_000;

/** Runs as vitest's `globalSetup`. Where it cannot help, the tests that need a Redis fail and say what to install. */
export async function setup(): Promise<void> {
  if ((await findRedis()) !== undefined || !(await hasPackageTools())) return;
  process.stdout.write('No redis-server on this machine: its Debian packages are fetched for the tests ...\n');
  try {
    await provide();
  } catch (error) {
    const said = (error instanceof Error && 'stderr' in error && String(error.stderr)) || String(error);
    process.stdout.write(`That did not work: ${said.trim().split('\n').slice(-3).join(' ')}\n`);
  }
}

function hasPackageTools(): Promise<boolean> {
  return Promise.all(['apt-get', 'dpkg-deb'].map((tool) => run(tool, ['--version']))).then(
    () => true,
    () => false,
  );
}

async function provide(): Promise<void> {
  await mkdir(dirname(OWN_REDIS), { recursive: true });
  const folder = await mkdtemp(`${OWN_REDIS}-`);
  try {
    const unpacked = await fetchPackages(folder);
    await writeFile(join(folder, 'redis-server'), wrapper(await libraryFolders(unpacked)));
    await chmod(join(folder, 'redis-server'), 0o755);
    await chmod(folder, 0o755);
    await run(join(folder, 'redis-server'), ['--version']);
    // Another run may have been faster: then its folder stays.
    await rename(folder, OWN_REDIS).catch(() => {});
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns the folder with the files of all packages */
async function fetchPackages(folder: string): Promise<string> {
  const [state, cache, unpacked] = [join(folder, 'state'), join(folder, 'cache'), join(folder, 'root')];
  const archives = join(cache, 'archives');
  for (const made of [join(state, 'lists', 'partial'), join(archives, 'partial'), unpacked])
    await mkdir(made, { recursive: true });
  // Lists and archives of its own, the machine's sources, keys and knowledge of what is installed.
  const settings = {
    'Dir::State': state,
    'Dir::State::status': '/var/lib/dpkg/status',
    'Dir::Cache': cache,
    'Debug::NoLocking': '1',
    'APT::Sandbox::User': '',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const apt = (...args: string[]) => run('apt-get', ['-q', ...options, ...args], { timeout: PATIENCE_MS });
  await apt('update');
  await apt('install', '--yes', '--download-only', '--reinstall', '--no-install-recommends', ...PACKAGES);
  for (const archive of await readdir(archives)) {
    if (archive.endsWith('.deb')) await run('dpkg-deb', ['-x', join(archives, archive), unpacked]);
  }
  await rm(state, { recursive: true, force: true });
  await rm(cache, { recursive: true, force: true });
  return unpacked;
}

/** Relative to the folder of the wrapper, which will be renamed. */
async function libraryFolders(unpacked: string): Promise<string[]> {
  const found = new Set<string>();
  for (const entry of await readdir(unpacked, { recursive: true, withFileTypes: true })) {
    if (/\.so(\.|$)/.test(entry.name)) found.add(entry.parentPath.slice(dirname(unpacked).length + 1));
  }
  return [...found].sort();
}

/** In place of the server, which finds its libraries by it; the process is the server's own. */
function wrapper(libraries: readonly string[]): string {
  const path = libraries.map((folder) => `$here/${folder}`).join(':');
  return `#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
export LD_LIBRARY_PATH="${path}"
exec "$here/root/usr/bin/redis-server" "$@"
`;
}
