import { type BigIntStats, readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { isPattern } from './allow.ts';
import { parseInstant } from './instant.ts';

/** Largest key file that is read; ten thousand keys need a third of it. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;
const MAX_KEYS = 10_000;
const MAX_PATTERNS = 1_000;
const MAX_RATE_PER_MINUTE = 10_000_000;
/** No colon: principals of tokens have one (`jwt:…`), so neither can be taken for the other. */
const ID = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
const SHA256 = /^[0-9a-fA-F]{64}$/;

/** One entry of the key file. Several may share an id: each key has the rights of its own entry. */
export interface ApiKey {
  readonly id: string;
  /** Of the secret, 64 hexadecimal digits in lower case. */
  readonly sha256: string;
  readonly allow: readonly string[];
  readonly ratePerMinute: number | undefined;
  /** Wall clock; infinite where the key does not expire. */
  readonly expiresAtMs: number;
}

/** One mistake in a key file: where it is, and what is wrong; never a value. */
export interface KeyFileProblem {
  readonly where: string;
  readonly what: string;
}

/** A key file as read: with any problem, no key of it is to be used. */
export interface KeyFile extends KeyFileContent {
  /** The state of the file just before it was read. */
  readonly mark: FileMark;
}

/** What the text of a key file says. */
export interface KeyFileContent {
  readonly keys: readonly ApiKey[];
  readonly problems: readonly KeyFileProblem[];
}

/** A state of a file, '' where it cannot be looked at; another one means that the file changed. */
export type FileMark = string;

/** Reads a key file at once, for a process that starts. Never throws: a file that cannot be read is a problem. */
export function readKeyFile(path: string, where = 'API_KEYS_FILE'): KeyFile {
  let mark: FileMark = '';
  try {
    const stats = statSync(path, { bigint: true });
    mark = markFrom(stats);
    checkSize(stats);
    return { mark, ...parseKeyFile(readFileSync(path, 'utf8'), where) };
  } catch (error) {
    return { mark, ...unreadable(error, where) };
  }
}

/** Reads a key file while calls go on. Never rejects. */
export async function rereadKeyFile(path: string, where = 'API_KEYS_FILE'): Promise<KeyFile> {
  let mark: FileMark = '';
  try {
    const stats = await stat(path, { bigint: true });
    mark = markFrom(stats);
    checkSize(stats);
    return { mark, ...parseKeyFile(await readFile(path, 'utf8'), where) };
  } catch (error) {
    return { mark, ...unreadable(error, where) };
  }
}

/** The state that a file is in now; never rejects. */
export async function markOf(path: string): Promise<FileMark> {
  try {
    return markFrom(await stat(path, { bigint: true }));
  } catch {
    return '';
  }
}

/** The keys in the text of a key file, and every mistake in it. */
export function parseKeyFile(text: string, where = 'API_KEYS_FILE'): KeyFileContent {
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch (error) {
    return { keys: [], problems: [{ where, what: `is not valid JSON${placeOf(error)}` }] };
  }
  if (!Array.isArray(entries)) {
    return { keys: [], problems: [{ where, what: 'must be a JSON array of entries { id, sha256, allow }' }] };
  }
  if (entries.length > MAX_KEYS) {
    return { keys: [], problems: [{ where, what: `has ${entries.length} entries; at most ${MAX_KEYS} are read` }] };
  }
  const problems: KeyFileProblem[] = [];
  const seen = new Map<string, number>();
  const keys = entries.map((entry: unknown, i) => {
    const here = `${where} entry ${i + 1}`;
    const key = keyFrom(entry, (member, what) => problems.push({ where: member ? `${here} ${member}` : here, what }));
    const twin = seen.get(key.sha256);
    if (twin !== undefined)
      problems.push({ where: `${here} sha256`, what: `is that of entry ${twin} too; remove one` });
    else if (key.sha256 !== '') seen.set(key.sha256, i + 1);
    return key;
  });
  return { keys, problems };
}

/** What is wrong with a key's id; undefined where nothing is. */
export function idProblem(id: unknown): string | undefined {
  if (typeof id !== 'string' || !ID.test(id)) {
    return 'must be 1 to 64 letters, digits or . _ @ -, beginning with a letter or digit';
  }
  return id === 'anonymous' ? 'is who calls where AUTH is none; choose another' : undefined;
}

/** What is wrong with a list of patterns; undefined where nothing is. */
export function allowProblem(allow: unknown): string | undefined {
  if (!Array.isArray(allow)) return 'must be a list of patterns bridge:tool';
  if (allow.length > MAX_PATTERNS) return `has ${allow.length} patterns; at most ${MAX_PATTERNS} are read`;
  const wrong = allow.findIndex((pattern) => typeof pattern !== 'string' || !isPattern(pattern));
  return wrong === -1 ? undefined : `pattern ${wrong + 1} must be bridge:tool, where * stands for any characters`;
}

/** What is wrong with a quota; undefined where nothing is. */
export function rateProblem(rate: unknown): string | undefined {
  const fits = typeof rate === 'number' && Number.isSafeInteger(rate) && rate >= 1 && rate <= MAX_RATE_PER_MINUTE;
  return fits ? undefined : `must be a whole number from 1 to ${MAX_RATE_PER_MINUTE}`;
}

const MEMBERS: readonly string[] = ['id', 'sha256', 'allow', 'ratePerMinute', 'expires'];

function keyFrom(entry: unknown, add: (member: string, what: string) => void): ApiKey {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    add('', 'must be an object { id, sha256, allow }');
    return { id: '', sha256: '', allow: [], ratePerMinute: undefined, expiresAtMs: 0 };
  }
  // A misspelt `expires` would make a key that never does. Its name stays untold: it may be a secret put there by mistake.
  const strangers = Object.keys(entry).filter((name) => !MEMBERS.includes(name)).length;
  if (strangers > 0) add('', `has ${strangers} unknown members; known are ${MEMBERS.join(', ')}`);
  const { id, sha256, allow, ratePerMinute, expires } = entry as Readonly<Record<string, unknown>>;
  const report = (member: string, problem: string | undefined): void => {
    if (problem !== undefined) add(member, problem);
  };
  report('id', idProblem(id));
  report('allow', allowProblem(allow));
  if (ratePerMinute !== undefined) report('ratePerMinute', rateProblem(ratePerMinute));
  const digest = typeof sha256 === 'string' && SHA256.test(sha256) ? sha256.toLowerCase() : '';
  if (digest === '') add('sha256', "must be the SHA-256 of the key's secret: 64 hexadecimal digits");
  const expiresAtMs = expires === undefined ? Number.POSITIVE_INFINITY : instantFrom(expires);
  if (expiresAtMs === undefined) add('expires', 'must be a date such as 2030-01-31 or 2030-01-31T12:00:00Z');
  return {
    id: String(id),
    sha256: digest,
    allow: Array.isArray(allow) ? allow : [],
    ratePerMinute: typeof ratePerMinute === 'number' ? ratePerMinute : undefined,
    expiresAtMs: expiresAtMs ?? 0,
  };
}

function instantFrom(value: unknown): number | undefined {
  return typeof value === 'string' ? parseInstant(value) : undefined;
}

/** Inode and both times: what is renamed into place, or edited in place, is another state. */
function markFrom({ ino, size, mtimeNs, ctimeNs }: BigIntStats): FileMark {
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

function checkSize({ size }: BigIntStats): void {
  if (size > MAX_FILE_BYTES) throw new RangeError(`it has ${size} bytes, at most ${MAX_FILE_BYTES} are read`);
}

function unreadable(error: unknown, where: string): KeyFileContent {
  const what = `cannot be read (${reasonOf(error)}); correct the path or the file's permissions`;
  return { keys: [], problems: [{ where, what }] };
}

/** Node's own messages carry the path; its error code says the same without it. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof RangeError ? error.message : 'unknown reason';
}

/** V8 quotes the text around the mistake, which may be a secret; line and column are enough. */
function placeOf(error: unknown): string {
  const [, line, column] = /\(line (\d+) column (\d+)\)/.exec(String(error)) ?? [];
  return line === undefined ? '' : ` (line ${line}, column ${column})`;
}
