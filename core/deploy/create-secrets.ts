import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addApiKey } from '#core/auth/add-api-key.ts';
import type { BridgeManifest } from '#core/manifest.ts';

/** What a stack needs before its first start. */
export interface SecretsRequest {
  /** `compose/secrets` of a checkout; made where there is none. */
  readonly folder: string;
  /** Variables of the bridges that nobody but the operator can fill, as `vendorSecretsOf` lists them. */
  readonly vendorSecrets: readonly string[];
}

/** What was found and made; file names are relative to the folder. */
export interface CreatedSecrets {
  readonly created: readonly string[];
  /** Were there and are as they were. */
  readonly kept: readonly string[];
  /** Secrets of vendors that nobody has filled yet: their bridges are not configured. */
  readonly empty: readonly string[];
  /** The secret of the first key, which may call everything and is written nowhere; undefined where a key file was there. */
  readonly apiKey: string | undefined;
}

/** A file of the folder could not be made; the message names it, never what it holds. */
export class SecretsError extends Error {
  override readonly name = 'SecretsError';
}

const KEY_FILE = 'keys/api_keys';
const PASSWORD_BYTES = 24;
/** Made by us: the memory's database is part of the stack. */
const MADE_VARIABLES: ReadonlySet<string> = new Set(['MEMORY_DATABASE_URL']);

/** Secrets that belong together: a password and the address that holds it. */
const PAIRS = [
  {
    password: 'redis_password',
    url: 'redis_url',
    address: (password: string) => `redis://:${password}@redis:6379/0`,
  },
  {
    password: 'audit_database_password',
    url: 'audit_database_url',
    address: (password: string) => `postgres://audit:${password}@postgres:5432/audit`,
  },
  {
    password: 'memory_database_password',
    url: 'memory_database_url',
    address: (password: string) => `postgres://memory_keeper:${password}@postgres:5432/memory`,
  },
] as const;
const SINGLE = ['postgres_password', 'grafana_admin_password'] as const;
/** Without them the front makes a certificate of its own. */
const CERTIFICATE = ['tls/cert.pem', 'tls/key.pem'] as const;
/** Mounted as a whole, so that a file that is put into another's place is seen (see compose/README.md). */
const FOLDERS = ['keys', 'tls'] as const;

/** The secret variables of bridges that the operator gets from their vendors, each once, in the order of the alphabet. */
export function vendorSecretsOf(manifests: Iterable<BridgeManifest>): readonly string[] {
  const names = [...manifests].flatMap(({ environment }) => environment.filter(({ secret }) => secret));
  return [...new Set(names.map(({ name }) => name))].filter((name) => !MADE_VARIABLES.has(name)).sort();
}

/**
 * Makes what is missing of the files a stack mounts as secrets: random passwords, the addresses that hold them, a first API
 * key, for each secret of a vendor, and the front's certificate, a file that is empty but for a line break (which counts as unset,
 * and which swarm takes too). What is there is never touched; a password whose address is there too is never made anew.
 *
 * The folder is for its owner alone (0700). Its files can be read by whoever is inside (0644): they are mounted one by one,
 * into containers that run as users of their own.
 * @throws SecretsError
 */
export async function createSecrets({ folder, vendorSecrets }: SecretsRequest): Promise<CreatedSecrets> {
  const created: string[] = [];
  const kept: string[] = [];
  const empty: string[] = [];
  const make = (name: string, text: string): void => {
    if (writeNew(folder, name, text)) created.push(name);
    else kept.push(name);
  };
  attempt('.', () => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    for (const name of FOLDERS) {
      mkdirSync(join(folder, name), { recursive: true });
      chmodSync(join(folder, name), 0o755);
    }
  });
  for (const { password, url, address } of PAIRS) {
    const there = [password, url].filter((name) => existsSync(join(folder, name)));
    if (there.length === 1) {
      const missing = password === there[0] ? url : password;
      throw new SecretsError(`${missing} is missing beside ${there[0]}: restore it, or remove both to have new ones`);
    }
    const secret = newPassword();
    make(password, `${secret}\n`);
    // Kept: somebody makes both at this moment, and an address with our password would not be right.
    if (created.includes(password)) make(url, `${address(secret)}\n`);
    else kept.push(url);
  }
  for (const name of SINGLE) make(name, `${newPassword()}\n`);
  for (const name of CERTIFICATE) make(name, '\n');
  for (const variable of vendorSecrets) {
    const name = variable.toLowerCase();
    make(name, '\n');
    if (attempt(name, () => readFileSync(join(folder, name), 'utf8').trim() === '')) empty.push(name);
  }
  return { created, kept, empty, apiKey: await firstKey(folder, created, kept) };
}

async function firstKey(folder: string, created: string[], kept: string[]): Promise<string | undefined> {
  const file = join(folder, KEY_FILE);
  if (existsSync(file)) {
    kept.push(KEY_FILE);
    return undefined;
  }
  const key = { id: 'admin', allow: ['*:*'], ratePerMinute: undefined, expires: undefined };
  const secret = await addApiKey(file, key);
  attempt(KEY_FILE, () => chmodSync(file, 0o644));
  created.push(KEY_FILE);
  return secret;
}

/** URL-safe, so that it stands in an address as it is. */
function newPassword(): string {
  return randomBytes(PASSWORD_BYTES).toString('base64url');
}

/** Whether it was missing. Exclusive, so that of two who make it at once one keeps the other's. */
function writeNew(folder: string, name: string, text: string): boolean {
  return attempt(name, () => {
    try {
      writeFileSync(join(folder, name), text, { flag: 'wx' });
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
    chmodSync(join(folder, name), 0o644);
    return true;
  });
}

function attempt<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new SecretsError(
      `${name} cannot be made or read in the folder of secrets (${codeOf(error)}): mend its permissions`,
    );
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown reason';
}
