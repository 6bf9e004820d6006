import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Environment } from '#core/config/environment.ts';
import { Problems, problemLine } from '#core/config/problems.ts';
import { isLoopback, type ProcessFlags, processSettings } from '#core/config/process-settings.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'process-settings-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function settings(env: Readonly<Record<string, string>>, flags: ProcessFlags = {}) {
  const problems = new Problems();
  const result = processSettings(new Environment(env), flags, problems);
  return { ...result, problems: problems.list.map(problemLine), warnings: problems.warnings.map(problemLine) };
}

it('nothing said gives the defaults of the contract', () => {
  expect(settings({})).toEqual({
    http: {
      host: '127.0.0.1',
      port: 3000,
      openWhen: 'started',
      maxBodyBytes: 1_048_576,
      allowedHosts: ['localhost', '127.0.0.1', '[::1]'],
      allowedOrigins: [],
    },
    ops: { host: '127.0.0.1', port: 9464 },
    auth: 'none',
    ratePerMinute: undefined,
    stores: { redisUrl: undefined, auditDatabaseUrl: undefined },
    drain: { delayMs: 0, budgetMs: 30_000 },
    log: { level: 'info', access: true },
    telemetryWanted: false,
    problems: [],
    warnings: [],
  });
});

it.each(['127.0.0.1', '127.9.9.9', 'localhost', '::1', '::ffff:127.0.0.1'])('%s is this machine only', (host) => {
  expect(isLoopback(host)).toBe(true);
  expect(settings({ HOST: host }).problems).toEqual([]);
});

it.each(['0.0.0.0', '::', '10.0.0.1', 'bridge.internal', '127.0.0.1.example'])(
  'on %s nothing starts before AUTH is said',
  (host) => {
    expect(isLoopback(host)).toBe(false);
    expect(settings({ HOST: host }).problems).toEqual([
      `HOST: ${host} can be reached from other machines and AUTH is not set; set AUTH=keys or AUTH=jwt, AUTH=none to say that anyone may call, or listen on 127.0.0.1`,
    ]);
    expect(settings({}, { host }).problems[0]).toMatch(/^--host: /);
  },
);

it('AUTH=none said aloud is taken everywhere, and warned about beyond this machine', () => {
  expect(settings({ AUTH: 'none' })).toMatchObject({ problems: [], warnings: [] });
  const open = settings({ AUTH: 'none', HOST: '0.0.0.0' });
  expect(open.problems).toEqual([]);
  expect(open.warnings).toEqual(['AUTH: is none on 0.0.0.0: whoever reaches this address may call every tool']);
  expect(open.http.allowedHosts).toBeUndefined();
});

it('AUTH=keys and AUTH=jwt say what they need, and are taken on any address', () => {
  const jwt = { JWT_ISSUER: 'https://id.example', JWT_AUDIENCE: 'fleet', JWT_JWKS_URL: 'https://id.example/jwks' };
  expect(settings({ AUTH: 'keys,jwt' }).problems).toEqual([
    'API_KEYS_FILE: is not set, and AUTH=keys needs it',
    'JWT_ISSUER: is not set, and AUTH=jwt needs it',
    'JWT_AUDIENCE: is not set, and AUTH=jwt needs it',
    'JWT_JWKS_URL: is not set, and AUTH=jwt needs it',
  ]);
  const API_KEYS_FILE = join(folder, 'keys.json');
  writeFileSync(API_KEYS_FILE, '[]');
  expect(settings({ AUTH: 'keys', API_KEYS_FILE, HOST: '0.0.0.0' })).toMatchObject({
    problems: [],
    warnings: [],
    auth: { keysFile: API_KEYS_FILE, jwt: undefined },
  });
  writeFileSync(API_KEYS_FILE, '[{"id":"a:b"}]');
  expect(settings({ AUTH: 'keys', API_KEYS_FILE }).problems.length).toBeGreaterThan(1);
  expect(settings({ AUTH: 'keys', API_KEYS_FILE: join(folder, 'none') }).problems).toEqual([
    expect.stringMatching(/^API_KEYS_FILE: .*ENOENT/),
  ]);
  expect(settings({ AUTH: 'jwt', ...jwt }).auth).toEqual({
    keysFile: undefined,
    jwt: { issuer: 'https://id.example', audience: 'fleet', jwksUrl: 'https://id.example/jwks' },
  });
});

it('keys that anybody on the way could change are not trusted', () => {
  const said = { AUTH: 'jwt', JWT_ISSUER: 'i', JWT_AUDIENCE: 'a' };
  const refused = [expect.stringMatching(/^JWT_JWKS_URL: must begin with https:/)];
  expect(settings({ ...said, JWT_JWKS_URL: 'http://id.example/jwks' }).problems).toEqual(refused);
  expect(settings({ ...said, JWT_JWKS_URL: 'file:///etc/jwks' }).problems).toEqual(refused);
  expect(settings({ ...said, JWT_JWKS_URL: 'http://127.0.0.1:1/jwks' }).problems).toEqual([]);
});

it('what AUTH does not use is warned about', () => {
  expect(settings({ API_KEYS_FILE: 'keys.json', JWT_ISSUER: 'i' }).warnings).toEqual([
    'API_KEYS_FILE: has no effect without AUTH=keys',
    'JWT_ISSUER: has no effect without AUTH=jwt',
  ]);
});

it('the addresses of the stores are taken, and refused without their value', () => {
  const { stores, ratePerMinute } = settings({
    REDIS_URL: 'rediss://:pw@redis:6380/1',
    AUDIT_DATABASE_URL: 'postgresql://u:pw@db/audit',
    RATE_PER_MINUTE: '600',
  });
  expect(stores).toEqual({ redisUrl: 'rediss://:pw@redis:6380/1', auditDatabaseUrl: 'postgresql://u:pw@db/audit' });
  expect(ratePerMinute).toBe(600);
  const shape = 'must be redis://[user:password@]host[:port][/db], or rediss://';
  for (const [REDIS_URL, problem] of [
    ['redis://h/0?tls=canary', 'takes no query and no fragment'],
    ['redis://h/0#canary', 'takes no query and no fragment'],
    ['redis://h/canary', 'has a path that is not the number of a database'],
    ['redis://h/9999999', 'has a path that is not the number of a database'],
    ['redis://:%canary@h', 'has a user or password that is not percent-encoded'],
    ['redis:///0', shape],
    ['http://canary@h', shape],
  ] as const) {
    expect(settings({ REDIS_URL }).problems).toEqual([`REDIS_URL: ${problem}`]);
  }
  expect(settings({ REDIS_URL: 'canary:6379', AUDIT_DATABASE_URL: 'mysql://canary' }).problems).toEqual([
    `REDIS_URL: ${shape}`,
    'AUDIT_DATABASE_URL: must be an address such as postgres://user:password@host/database',
  ]);
});

it('an AUTH that is nothing is refused without its value', () => {
  for (const AUTH of ['canary', 'keys,none', 'keys,canary']) {
    expect(settings({ AUTH }).problems).toEqual(['AUTH: must be none, keys, jwt, or keys,jwt']);
  }
});

it.each([
  ['PORT', '65536'],
  ['PORT', '0x10'],
  ['PORT', ' 80'],
  ['OPS_PORT', '-1'],
  ['MAX_BODY_BYTES', '1'],
  ['DRAIN_MS', '1e3'],
  ['DRAIN_DELAY_MS', 'canary'],
  ['LOG_LEVEL', 'canary'],
  ['OPEN_WHEN', 'canary'],
  ['HOST', 'http://canary'],
  ['HOST', '1.2.3'],
  ['ALLOWED_HOSTS', 'ok.example,*'],
  ['ALLOWED_HOSTS', 'canary:80'],
  ['ALLOWED_ORIGINS', '*'],
  ['ALLOWED_ORIGINS', 'https://app.example/canary'],
  ['ALLOWED_ORIGINS', 'null'],
])('%s=%s is one problem that names the variable only', (name, value) => {
  const { problems } = settings({ [name]: value });
  expect(problems).toEqual([expect.stringMatching(`^${name}: `)]);
  expect(problems.join()).not.toContain('canary');
});

it('a flag that is wrong is named as the flag', () => {
  expect(settings({}, { port: 'x', opsPort: '70000' }).problems).toEqual([
    '--port: must be a whole number from 0 to 65535',
    '--ops-port: must be a whole number from 0 to 65535',
  ]);
});

it('one port for both addresses is refused, except any free one', () => {
  expect(settings({ PORT: '9464' }).problems).toEqual([
    'OPS_PORT: is 9464 as the main port is; the ops addresses need a port of their own',
  ]);
  expect(settings({ PORT: '0', OPS_PORT: '0' }).problems).toEqual([]);
});

it('lists are split and hosts lowered', () => {
  const { http, problems } = settings({
    ALLOWED_HOSTS: 'A.example, ::1,',
    ALLOWED_ORIGINS: 'https://a.example,http://b:8080',
  });
  expect(problems).toEqual([]);
  expect(http.allowedHosts).toEqual(['a.example', '[::1]']);
  expect(http.allowedOrigins).toEqual(['https://a.example', 'http://b:8080']);
});
