import { hash, randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type KeyFileProblem, parseKeyFile } from './key-file.ts';

/** Tells a leaked secret from other text, for whoever scans repositories and logs for some. */
const PREFIX = 'mbf_';
const SECRET_BYTES = 32;
/** Another one writes for some milliseconds; after this it is not running any more. */
const LOCK_WAIT_MS = 5_000;
const LOCK_RETRY_MS = 20;

/** What a new key may do; checked before by whoever asks for it. */
export interface NewApiKey {
  readonly id: string;
  readonly allow: readonly string[];
  readonly ratePerMinute: number | undefined;
  /** ISO 8601. */
  readonly expires: string | undefined;
}

/** The key file could not be written; it is as it was. `problems` say why. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
  readonly problems: readonly KeyFileProblem[];

  constructor(problems: readonly KeyFileProblem[]) {
    super(problems.map(({ where, what }) => `${where}: ${what}`).join('\n'));
    this.problems = problems;
  }
}

/**
 * Makes a secret of 256 random bits and adds its SHA-256 to a key file, which is made where there is none (mode 0600) and
 * replaced in one step where there is one (mode and owner kept). Entries that others add at the same time are kept.
 * @returns the secret, which is written nowhere
 * @throws KeyFileError
 */
export async function addApiKey(path: string, key: NewApiKey, lockWaitMs = LOCK_WAIT_MS): Promise<string> {
  const file = targetOf(path);
  const secret = PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
  const { id, allow, ratePerMinute, expires } = key;
  const entry = { id, sha256: hash('sha256', secret), allow, ratePerMinute, expires };
  const lock = `${file}.lock`;
  await takeLock(lock, lockWaitMs);
  try {
    // Nothing is awaited from here on: the lock is held for as long as one small file takes to be written.
    replace(file, `${JSON.stringify([...entriesOf(file), entry], null, 2)}\n`);
  } finally {
    rmSync(lock, { force: true });
  }
  return secret;
}

/** Behind a link, the file itself: a rename would put a file in the link's place. */
function targetOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

async function takeLock(lock: string, waitMs: number): Promise<void> {
  const giveUpAtMs = performance.now() + waitMs;
  for (;;) {
    try {
      closeSync(openSync(lock, 'wx', 0o600));
      return;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw failure(lock, `cannot be made (${codeOf(error)})`);
    }
    if (performance.now() >= giveUpAtMs) {
      throw failure(lock, `is held by another fleet key create for ${waitMs} ms; remove it if none is running`);
    }
    await delay(LOCK_RETRY_MS);
  }
}

function entriesOf(file: string): readonly unknown[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw failure(file, `cannot be read (${codeOf(error)})`);
  }
  const { problems } = parseKeyFile(text, file);
  if (problems.length > 0) throw new KeyFileError(problems);
  // As they were written, so that nothing of another entry changes.
  return JSON.parse(text);
}

function replace(file: string, text: string): void {
  const temporary = `${file}.new`;
  try {
    // Only the holder of the lock writes here; what is there was left by one that was killed.
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      takeAfter(file, fd);
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw failure(file, `cannot be written (${codeOf(error)}); nothing was changed`);
  }
}

/** Whoever could read the file before still can, and nobody else. */
function takeAfter(file: string, fd: number): void {
  const old = statSync(file, { throwIfNoEntry: false });
  if (old === undefined) return;
  const now = fstatSync(fd);
  if (now.uid !== old.uid || now.gid !== old.gid) fchownSync(fd, old.uid, old.gid);
  fchmodSync(fd, old.mode & 0o7777);
}

function failure(where: string, what: string): KeyFileError {
  return new KeyFileError([{ where, what }]);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown reason';
}
