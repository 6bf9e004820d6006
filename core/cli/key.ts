import { resolve } from 'node:path';
import { addApiKey, KeyFileError } from '#core/auth/add-api-key.ts';
import { parseInstant } from '#core/auth/instant.ts';
import { allowProblem, idProblem, rateProblem } from '#core/auth/key-file.ts';
import { Environment } from '#core/config/environment.ts';
import { Problems } from '#core/config/problems.ts';
import { EXIT } from './exit-codes.ts';
import { print, said, tell, tellProblems } from './say.ts';

/** What the command line says of a key, as written there. */
export interface KeyArguments {
  readonly id: string;
  readonly allow: readonly string[];
  readonly ratePerMinute?: string;
  readonly expires?: string;
  readonly file?: string;
}

const HOUR_MS = 3_600_000;
const UNITS = { d: 24 * HOUR_MS, h: HOUR_MS } as const;

/**
 * `fleet key create`: adds a key to the key file and prints its secret, once; what to do with it goes to standard error,
 * so that the output can be piped to where secrets are kept. Returns the exit code: 64 for a wrong option, 78 where the
 * file is wrong or cannot be written.
 */
export async function createKey(args: KeyArguments, environment = Environment.ofProcess()): Promise<number> {
  const code = await create(args, environment.get('API_KEYS_FILE'));
  await said();
  return code;
}

async function create(args: KeyArguments, configuredFile: string | undefined): Promise<number> {
  const problems = new Problems();
  const key = keyFrom(args, problems);
  const file = args.file ?? configuredFile;
  if (file === undefined) problems.add('--file', 'names the key file; set it, or API_KEYS_FILE');
  if (problems.list.length > 0 || file === undefined) {
    tellProblems(problems.list);
    return EXIT.usage;
  }
  let secret: string;
  try {
    secret = await addApiKey(file, key);
  } catch (error) {
    if (!(error instanceof KeyFileError)) throw error;
    tellProblems(error.problems);
    return EXIT.config;
  }
  print(secret);
  const until = key.expires === undefined ? '' : ` until ${key.expires}`;
  tell(`fleet: a key for ${key.id}, good for ${key.allow.join(' ')}${until}, was added to ${file}`);
  tell('fleet: its secret was printed this once and is kept nowhere: give it to the caller now');
  tell('fleet: callers send it as "Authorization: Bearer <secret>"; running processes take it within two seconds');
  if (configuredFile === undefined || resolve(configuredFile) !== resolve(file)) {
    tell(`fleet: processes read this file where they are started with AUTH=keys API_KEYS_FILE=${file}`);
  }
  return EXIT.ok;
}

function keyFrom({ id, allow, ratePerMinute, expires }: KeyArguments, problems: Problems) {
  const rate = ratePerMinute === undefined ? undefined : wholeNumber(ratePerMinute);
  const found = [
    ['--id', idProblem(id)],
    ['--allow', allowProblem(allow)],
    ['--rate-per-minute', ratePerMinute === undefined ? undefined : rateProblem(rate)],
  ] as const;
  for (const [flag, problem] of found) if (problem !== undefined) problems.add(flag, problem);
  return { id, allow, ratePerMinute: rate, expires: expires === undefined ? undefined : expiryOf(expires, problems) };
}

function wholeNumber(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
}

function expiryOf(text: string, problems: Problems): string | undefined {
  const [, count, unit] = /^(\d{1,5})([dh])$/.exec(text) ?? [];
  const atMs = count === undefined ? parseInstant(text) : Date.now() + Number(count) * UNITS[unit === 'h' ? 'h' : 'd'];
  if (atMs === undefined) {
    problems.add('--expires', 'must be a time from now such as 90d or 12h, or a date such as 2030-01-31');
  } else if (atMs <= Date.now()) problems.add('--expires', 'lies in the past');
  else return count === undefined ? text : new Date(atMs).toISOString();
  return undefined;
}
