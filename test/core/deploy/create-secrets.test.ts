import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bridges } from '../../../bridges/index.ts';
import { readKeyFile } from '../../../core/auth/key-file.ts';
import { createSecrets, vendorSecretsOf } from '../../../core/deploy/create-secrets.ts';
import type { BridgeManifest } from '../../../core/manifest.ts';

let parent = '';
let folder = '';
const vendorSecrets = ['SLACK_BOT_TOKEN', 'STRIPE_SECRET_KEY'];
const content = (name: string): string => readFileSync(join(folder, name), 'utf8');
const mode = (name: string): number => statSync(join(folder, name)).mode & 0o777;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'secrets-'));
  folder = join(parent, 'secrets');
});

afterEach(() => rmSync(parent, { recursive: true, force: true }));

it('makes every file in a folder for its owner alone, with passwords that stand in their addresses', async () => {
  const { created, kept, apiKey } = await createSecrets({ folder, vendorSecrets });
  expect(kept).toEqual([]);
  expect(new Set(created)).toEqual(
    new Set([
      ...readdirSync(folder).filter((name) => !['keys', 'tls'].includes(name)),
      ...['keys', 'tls'].flatMap((inner) => readdirSync(join(folder, inner)).map((name) => `${inner}/${name}`)),
    ]),
  );
  expect(mode('.')).toBe(0o700);
  // Containers that run as other users read them.
  expect(mode('keys')).toBe(0o755);
  for (const name of created) expect([name, mode(name)]).toEqual([name, 0o644]);
  for (const [password, url] of [
    ['redis_password', 'redis_url'],
    ['audit_database_password', 'audit_database_url'],
    ['memory_database_password', 'memory_database_url'],
  ] as const) {
    expect(content(password)).toMatch(/^[\w-]{32}\n$/);
    expect(new URL(content(url)).password).toBe(content(password).trim());
  }
  const { keys, problems } = readKeyFile(join(folder, 'keys/api_keys'));
  expect([problems, keys?.length]).toEqual([[], 1]);
  expect(apiKey).toMatch(/^mbf_/);
  for (const name of created) expect(content(name)).not.toContain(apiKey);
});

it('makes no password twice', async () => {
  await createSecrets({ folder, vendorSecrets });
  const passwords = readdirSync(folder)
    .filter((name) => name.endsWith('_password'))
    .map(content);
  expect(new Set(passwords).size).toBe(passwords.length);
  expect(passwords.length).toBe(5);
});

it('leaves what is there as it is, and tells which secrets of vendors are still to be written', async () => {
  const first = await createSecrets({ folder, vendorSecrets });
  expect(first.empty).toEqual(['slack_bot_token', 'stripe_secret_key']);
  writeFileSync(join(folder, 'slack_bot_token'), 'xoxb-mine\n');
  const before = first.created.map(content);
  const second = await createSecrets({ folder, vendorSecrets: [...vendorSecrets, 'VENUES_API_KEY'] });
  expect(second).toMatchObject({ created: ['venues_api_key'], apiKey: undefined });
  expect(second.empty).toEqual(['stripe_secret_key', 'venues_api_key']);
  expect(new Set(second.kept)).toEqual(new Set(first.created));
  expect(first.created.map(content)).toEqual(
    before.map((text, i) => (first.created[i] === 'slack_bot_token' ? 'xoxb-mine\n' : text)),
  );
});

it('makes no new address beside an old password: what runs would not take it', async () => {
  await createSecrets({ folder, vendorSecrets });
  rmSync(join(folder, 'redis_url'));
  await expect(createSecrets({ folder, vendorSecrets })).rejects.toThrow(/^redis_url is missing beside redis_password/);
});

it('says which file it could not make, and not what is in it', async () => {
  writeFileSync(folder, 'a file in the way');
  await expect(createSecrets({ folder, vendorSecrets })).rejects.toThrow(/\(EEXIST\): mend its permissions$/);
});

it('asks for the secrets of the bridges that come with the service, each once, but not for what it makes', async () => {
  const manifests: BridgeManifest[] = await Promise.all(Object.values(bridges).map((load) => load()));
  const names = vendorSecretsOf(manifests);
  expect(names).toEqual([...new Set(names)].sort());
  expect(names).toEqual(expect.arrayContaining(['GOOGLE_CLIENT_SECRET', 'SLACK_BOT_TOKEN', 'DATABASE_URL']));
  expect(names).not.toContain('MEMORY_DATABASE_URL');
  expect(names).not.toContain('SLACK_API_URL');
});
