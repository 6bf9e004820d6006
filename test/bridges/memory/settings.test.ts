import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import manifest from '../../../bridges/memory/bridge.ts';
import { readSettings } from '../../../bridges/memory/settings.ts';
import { Fleet } from '../../support/fleet.ts';
import { openStdioServer } from '../../support/stdio-server.ts';

const SERVER = fileURLToPath(new URL('../../../bridges/memory/server.ts', import.meta.url));
const URL_CANARY = 'postgres://keeper:canary@127.0.0.1:1/memory';

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readSettings(env);
    return [];
  } catch (error) {
    return (error as { problems: readonly string[] }).problems;
  }
}

test.each([
  [{}, /^MEMORY_DATABASE_URL is missing: .*postgres:\/\//],
  [{ MEMORY_DATABASE_URL: 'canary' }, /^MEMORY_DATABASE_URL: must be a connection string/],
  [{ MEMORY_DATABASE_URL: 'https://canary@example.com/' }, /^MEMORY_DATABASE_URL: must be a connection string/],
  [{ MEMORY_DATABASE_URL: URL_CANARY, MEMORY_MAX_ENTRIES: '0' }, /^MEMORY_MAX_ENTRIES: must be a whole number/],
  [{ MEMORY_DATABASE_URL: URL_CANARY, MEMORY_LANGUAGE: "x'; drop" }, /^MEMORY_LANGUAGE: must be the name/],
  [{ MEMORY_DATABASE_URL: URL_CANARY, MEMORY_POOL_MAX: 'many' }, /^MEMORY_POOL_MAX: must be a whole number/],
])('%j is refused with what is wrong, never with a value', (env, problem) => {
  const problems = problemsOf(env as Record<string, string>);
  expect(problems).toEqual([expect.stringMatching(problem)]);
  expect(problems.join()).not.toContain('canary');
});

test('every variable is one of the manifest, with its default', () => {
  expect(readSettings({ MEMORY_DATABASE_URL: URL_CANARY })).toEqual({
    databaseUrl: URL_CANARY,
    maxEntries: 10_000,
    language: 'english',
    maxConnections: 4,
  });
  const help = Object.fromEntries(manifest.environment.map((variable) => [variable.name, variable.help]));
  expect(help.MEMORY_MAX_ENTRIES).toMatch(/, 10000$/);
  expect(help.MEMORY_LANGUAGE).toMatch(/; english$/);
  expect(help.MEMORY_POOL_MAX).toMatch(/, 4$/);
});

test('a server without a connection string exits with 78 and names what is missing', () => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [SERVER], { env: {}, encoding: 'utf8' });
  expect(status).toBe(78);
  expect(stderr).toMatch(/^MEMORY_DATABASE_URL is missing: .*\n$/);
  expect(stdout).toBe('');
});

test('a bridge without one is not configured, and says what it lacks', async () => {
  await using fleet = await Fleet.start({ args: ['serve', 'memory'] });
  const answer = await fleet.request('/memory/mcp/tools/memory_stats', {});
  expect(answer).toMatchObject({ status: 503, json: { code: 'not_configured', executed: 'no' } });
  expect(answer.json.detail).toContain('MEMORY_DATABASE_URL');
});

test('the connection string may come as a file, and the tools are listed without a database', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fleet-memory-'));
  try {
    writeFileSync(join(folder, 'url'), `${URL_CANARY}\n`);
    await using server = await openStdioServer('memory', { MEMORY_DATABASE_URL_FILE: join(folder, 'url') });
    expect((await server.client.listTools()).tools).toHaveLength(7);
    expect(server.stderr()).not.toContain('canary');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
