import { readFileSync } from 'node:fs';
import { lstat, mkdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** Whom PostgreSQL runs as: it refuses root. Undefined: as this process's own user. */
export interface OtherUser {
  readonly uid: number;
  readonly gid: number;
}

/** A user to run as when this process is root: `postgres` where there is one, else `nobody`. */
export function otherUser(): OtherUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  let fallback: OtherUser = { uid: 65_534, gid: 65_534 };
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name, , uid, gid] = line.split(':');
    const user = { uid: Number(uid), gid: Number(gid) };
    if (name === 'postgres') return user;
    if (name === 'nobody') fallback = user;
  }
  return fallback;
}

/** Whether any user may walk into `path`: every folder above lets others through. */
export async function isReachableByOthers(path: string): Promise<boolean> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const state = await stat(folder).catch(() => undefined);
    if (state !== undefined && (state.mode & 0o001) === 0) return false;
    if (dirname(folder) === folder) return true;
  }
}

/**
 * A folder below the system's temporary one that other users can walk through and only this user can write.
 * @throws Error when somebody else made it
 */
export async function sharedFolder(): Promise<string> {
  const uid = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `mcp-bridge-fleet-${uid}`);
  await mkdir(folder, { mode: 0o711 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const state = await lstat(folder);
  if (!state.isDirectory() || state.uid !== uid || (state.mode & 0o022) !== 0) {
    throw new Error(
      'the temporary folder of the PostgreSQL sandbox belongs to somebody else: set TMPDIR, or the connection string of a database of your own',
    );
  }
  return folder;
}
