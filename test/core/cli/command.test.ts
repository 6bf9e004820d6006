// biome-ignore-all lint/suspicious/noTemplateCurlyInString: config files have placeholders.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fleet } from './run.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fleet-command-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function configFile(mcpServers: object): string {
  const path = join(folder, `${Math.random()}.json`);
  writeFileSync(path, JSON.stringify({ mcpServers }));
  return path;
}

async function taken(): Promise<{ server: Server; port: string }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { server, port: String(typeof address === 'object' ? address?.port : 0) };
}

it('--version and --help answer on stdout and end with 0', async () => {
  expect(await fleet(['--version'])).toMatchObject({ code: 0, stdout: '0.1.0\n' });
  const help = await fleet(['--help']);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  for (const command of ['serve', 'dev', 'check']) expect(help.stdout).toContain(command);
  expect((await fleet(['serve', '--help'])).stdout).toContain('fleet serve --name echo -- node path/to/server.mjs');
});

it.each([
  ['an unknown option', ['serve', '--prot', '1'], /unknown option '--prot'\n\(Did you mean --port\?\)/],
  ['an unknown command', ['sevre'], /unknown command 'sevre'\n\(Did you mean serve\?\)/],
  ['an option without its value', ['serve', '--port'], /argument missing/],
  ['no command at all', [], /Usage: fleet/],
])('%s is a usage error: 64', async (_, args, message) => {
  const { code, stdout, stderr } = await fleet(args);
  expect(code).toBe(64);
  expect(stderr).toMatch(message);
  expect(stdout).toBe('');
});

it('L10 a bad configuration is told line by line, ends with 78, and no port is opened', async () => {
  const { server, port } = await taken();
  const config = configFile({ echo: { command: 'node', pool: { max: 'canary' } }, far: { url: 'https://canary' } });
  // A port that is taken would end it with 69, were it tried.
  const result = await fleet(['serve', '--config', config, '--port', port], {
    POOL_MIN: 'canary',
    LOG_LEVEL: 'canary',
  });
  server.close();
  expect(result).toMatchObject({ code: 78, stdout: '' });
  expect(result.stderr.trimEnd().split('\n')).toEqual([
    'fleet: LOG_LEVEL: must be one of debug, info, warn, error, silent',
    'fleet: POOL_MIN: must be a whole number from 0 to 256',
    expect.stringMatching(/^fleet: .*\.json mcpServers\.echo\.pool\.max: must be a whole number from 1 to 256$/),
    expect.stringMatching(/^fleet: .*\.json mcpServers\.far\.url: a server reached by an address cannot be served/),
  ]);
});

it('L10 one mistake is one line', async () => {
  const { code, stderr } = await fleet(['serve', 'postgras']);
  expect([code, stderr]).toEqual([78, 'fleet: serve: there is no bridge "postgras"; did you mean postgres?\n']);
});

it('beyond this machine nothing starts until AUTH is said', async () => {
  const { code, stderr } = await fleet(['serve', 'postgres', '--host', '0.0.0.0']);
  expect(code).toBe(78);
  expect(stderr).toMatch(/^fleet: --host: 0\.0\.0\.0 can be reached from other machines and AUTH is not set; /);
});

it.each(['--port', '--ops-port'])('a busy port is one line that names the flag %s, and ends with 69', async (flag) => {
  const { server, port } = await taken();
  const result = await fleet(['serve', '--name', 'x', flag, port, '--', 'true'], { PORT: '0', OPS_PORT: '0' });
  server.close();
  expect(result).toMatchObject({ code: 69, stdout: '' });
  expect(result.stderr).toBe(
    `fleet: port ${port} on 127.0.0.1 is in use; stop what uses it, or choose another with ${flag}\n`,
  );
});

it('an address that is not of this machine is one line, and ends with 69', async () => {
  const { code, stderr } = await fleet(['serve', '--name', 'x', '--host', '192.0.2.1', '--', 'true'], { AUTH: 'none' });
  expect([code, stderr]).toEqual([69, 'fleet: 192.0.2.1 is no address of this machine; choose another with --host\n']);
});

it('check prints the effective configuration without a secret, and ends with 0', async () => {
  writeFileSync(join(folder, 'url'), 'postgres://u:canary-pass@db/x\n');
  const { code, stdout, stderr } = await fleet(['check', 'postgres'], {
    DATABASE_URL_FILE: join(folder, 'url'),
    POOL_MAX: '3',
  });
  expect([code, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout).bridges.postgres).toMatchObject({
    from: 'manifest',
    mode: 'live',
    env: { DATABASE_URL: '[redacted]' },
    pool: { max: 3, min: 1 },
    tools: { query: { effect: 'read' }, '*': { effect: 'write' } },
  });
  expect(stdout).not.toContain('canary');
});

it('check shows no value of a config file environment, nor a secret put into an argument', async () => {
  const config = configFile({ e: { command: 'node', args: ['--t=${T}'], env: { MODE: 'canary-a', KEY: '${T}' } } });
  const { code, stdout, stderr } = await fleet(['check', '--config', config], { T: 'canary-b' });
  expect(code).toBe(0);
  expect(JSON.parse(stdout).bridges.e).toMatchObject({
    from: 'config file',
    args: ['--t=[redacted]'],
    env: { MODE: '[redacted]', KEY: '[redacted]' },
  });
  expect(stderr).toMatch(/^fleet: warning: .*args\.0: is visible in the process list/);
  expect(stdout + stderr).not.toContain('canary');
});

it('check tells every problem beside what it could make out, and ends with 78', async () => {
  const { code, stdout, stderr } = await fleet(['check', 'postgres', '--port', 'x'], { DRAIN_MS: 'y' });
  expect(code).toBe(78);
  expect(JSON.parse(stdout)).toMatchObject({
    http: { port: 3000 },
    bridges: { postgres: { mode: 'not_configured', missing: ['DATABASE_URL'] } },
  });
  expect(stderr.trimEnd().split('\n')).toEqual([
    'fleet: --port: must be a whole number from 0 to 65535',
    'fleet: DRAIN_MS: must be a whole number from 0 to 3600000',
  ]);
});

it('check --schema prints the JSON Schema of the config file', async () => {
  const { code, stdout } = await fleet(['check', '--schema']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    required: ['mcpServers'],
  });
});
