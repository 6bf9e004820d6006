import { hash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addApiKey, KeyFileError } from '#core/auth/add-api-key.ts';
import { readKeyFile } from '#core/auth/key-file.ts';
import { fleet } from './run.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fleet-key-'));
  file = join(folder, 'keys.json');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const entries = (): Record<string, unknown>[] => JSON.parse(readFileSync(file, 'utf8'));
const modeOf = (path: string): number => statSync(path).mode & 0o777;
const PLAIN = { id: 'planner', allow: ['*:*'], ratePerMinute: undefined, expires: undefined };

describe('fleet key create', () => {
  it('prints a new secret once and writes its digest alone', async () => {
    const args = ['key', 'create', '--id', 'planner', '--allow', 'slack:*', '--allow', 'stripe:list_*'];
    const { code, stdout, stderr } = await fleet([...args, '--rate-per-minute', '60'], { API_KEYS_FILE: file });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^mbf_[A-Za-z0-9_-]{43}\n$/);
    const secret = stdout.trim();
    expect(entries()).toEqual([
      { id: 'planner', sha256: hash('sha256', secret), allow: ['slack:*', 'stripe:list_*'], ratePerMinute: 60 },
    ]);
    expect(readKeyFile(file).problems).toEqual([]);
    expect(modeOf(file)).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['keys.json']);
    for (const text of [stderr, readFileSync(file, 'utf8')]) expect(text).not.toContain(secret.slice(4, 20));
    expect(stderr).toContain('planner');
    expect(stderr).not.toContain('AUTH=keys');
  });

  it('takes the file and the expiry from the command line, and says how processes come to read the file', async () => {
    const before = Date.now();
    const { code, stderr } = await fleet([
      ...['key', 'create', '--id', 'ops', '--allow', '*:*', '--expires', '90d', '--file', file],
    ]);
    expect(code).toBe(0);
    expect(stderr).toContain(`AUTH=keys API_KEYS_FILE=${file}`);
    const expires = Date.parse(String(entries()[0]?.expires));
    expect(expires).toBeGreaterThanOrEqual(before + 90 * 86_400_000);
    expect(expires).toBeLessThan(Date.now() + 90 * 86_400_000 + 1);
  });

  it('tells every wrong option without repeating it, and writes nothing', async () => {
    const { code, stdout, stderr } = await fleet([
      ...['key', 'create', '--id', 'canary id', '--allow', 'canary', '--rate-per-minute', '1e3', '--expires', 'canary'],
    ]);
    expect(code).toBe(64);
    expect(stdout).toBe('');
    for (const flag of ['--id', '--allow', '--rate-per-minute', '--expires', '--file']) expect(stderr).toContain(flag);
    expect(stderr).not.toContain('canary');
    const past = ['key', 'create', '--id', 'x', '--allow', '*:*', '--expires', '2020-01-01', '--file', file];
    expect(await fleet(past)).toMatchObject({ code: 64, stdout: '', stderr: expect.stringContaining('in the past') });
    expect(existsSync(file)).toBe(false);
  });

  it.each([
    ['--allow', ['--id', 'x', '--file', 'y']],
    ['--id', ['--allow', '*:*', '--file', 'y']],
  ])('asks for %s', async (flag, args) => {
    const { code, stderr } = await fleet(['key', 'create', ...args]);
    expect(code).toBe(64);
    expect(stderr).toContain(`required option '${flag}`);
  });

  it('leaves a broken file as it is: 78', async () => {
    const broken = '[{ "id": "planner" }]';
    writeFileSync(file, broken);
    const { code, stdout, stderr } = await fleet(['key', 'create', '--id', 'x', '--allow', '*:*', '--file', file]);
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toContain('entry 1 sha256');
    expect(readFileSync(file, 'utf8')).toBe(broken);
    expect(readdirSync(folder)).toEqual(['keys.json']);
  });
});

describe('a key that is added', () => {
  it('leaves the other entries, the mode and the owner of the file as they were', async () => {
    const old = { sha256: 'A'.repeat(64), allow: [], id: 'old', expires: '2020-01-01' };
    writeFileSync(file, JSON.stringify([old]));
    chmodSync(file, 0o640);
    const { uid, gid } = statSync(file);
    await addApiKey(file, PLAIN);
    expect(entries()[0]).toEqual(old);
    expect(entries()).toHaveLength(2);
    expect(modeOf(file)).toBe(0o640);
    expect(statSync(file)).toMatchObject({ uid, gid });
  });

  it.runIf(process.getuid?.() === 0)('by root stays readable for whoever owns the file', async () => {
    await addApiKey(file, PLAIN);
    chownSync(file, 12_345, 12_346);
    await addApiKey(file, PLAIN);
    expect(statSync(file)).toMatchObject({ uid: 12_345, gid: 12_346 });
  });

  it('is written behind a link, which stays one', async () => {
    await addApiKey(file, PLAIN);
    const link = join(folder, 'link.json');
    symlinkSync(file, link);
    await addApiKey(link, PLAIN);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(entries()).toHaveLength(2);
  });

  it('is not lost where others are added at the same time', async () => {
    const here = Array.from({ length: 20 }, () => addApiKey(file, PLAIN));
    const there = Array.from({ length: 3 }, () =>
      fleet(['key', 'create', '--id', 'planner', '--allow', '*:*', '--file', file]),
    );
    const secrets = [...(await Promise.all(here)), ...(await Promise.all(there)).map(({ stdout }) => stdout.trim())];
    const digests = new Set(entries().map(({ sha256 }) => sha256));
    expect(digests.size).toBe(23);
    expect(secrets.filter((secret) => !digests.has(hash('sha256', secret)))).toEqual([]);
    expect(readdirSync(folder)).toEqual(['keys.json']);
  });

  it('is refused where another one never finishes, which is said with what to do', async () => {
    writeFileSync(`${file}.lock`, '');
    const error = await addApiKey(file, PLAIN, 50).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(KeyFileError);
    expect((error as Error).message).toContain('50 ms; remove it if none is running');
    expect(existsSync(file)).toBe(false);
    expect(existsSync(`${file}.lock`)).toBe(true);
  });

  it('is refused where there is no such folder', async () => {
    await expect(addApiKey(join(folder, 'away', 'keys.json'), PLAIN)).rejects.toThrow(/ENOENT/);
  });

  it('starts over what one that was killed has left', async () => {
    writeFileSync(`${file}.new`, '[{"id": "half');
    await addApiKey(file, PLAIN);
    expect(entries()).toHaveLength(1);
    expect(readdirSync(folder)).toEqual(['keys.json']);
  });
});
