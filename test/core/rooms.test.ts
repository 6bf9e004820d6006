import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

/** One line of code per room that must not be entered from there, and its twin that may. */
const CASES: readonly { readonly file: string; readonly code: string; readonly allowed: boolean }[] = [
  ...forbidden('core/json', "'#core/errors.ts'"),
  ...forbidden('core/jsonrpc', "'#core/mcp/session.ts'", "'#core/pool/pool.ts'", "'node:child_process'"),
  ...allowed('core/jsonrpc', "'#core/json/scanner.ts'", "'#core/errors.ts'"),
  ...forbidden('core/mcp', "'#core/child/mcp-worker.ts'", "'#core/http/app.ts'", "'hono'"),
  ...allowed('core/mcp', "'#core/jsonrpc/connection.ts'", "'ajv/dist/2020.js'"),
  ...forbidden('core/child', "'#core/pool/pool.ts'", "'#core/bridge.ts'", "'#core/http/app.ts'"),
  ...allowed('core/child', "'#core/pool/worker.ts'", "'node:child_process'"),
  ...forbidden('core/pool', "'#core/child/mcp-worker.ts'", "'#core/http/app.ts'", "'../http/app.ts'", "'pino'"),
  ...allowed('core/pool', "'#core/errors.ts'"),
  ...forbidden('core/policy', "'#core/policy/retry.ts'", "'#core/pool/pool.ts'", "'ioredis'"),
  ...allowed('core/policy', "'#core/call.ts'"),
  ...forbidden('core/http', "'#core/pool/pool.ts'", "'#core/child/mcp-worker.ts'", "'node:child_process'"),
  ...allowed('core/http', "'#core/bridge.ts'", "'hono'", "'@hono/node-server'"),
  ...forbidden('core/auth', "'#core/http/app.ts'", "'#core/config/problems.ts'", "'ioredis'"),
  ...allowed('core/auth', "'#core/principal.ts'", "'jose'", "'undici'"),
  ...forbidden('core/store', "'#core/policy/retry.ts'", "'#core/auth/authenticator.ts'", "'hono'"),
  ...allowed('core/store', "'#core/call.ts'", "'ioredis'", "'pg'", "'lru-cache'"),
  ...forbidden('core/telemetry', "'#core/pool/pool.ts'", "'hono'"),
  ...allowed('core/telemetry', "'pino'"),
  ...forbidden('core/server-kit', "'#core/pool/pool.ts'", "'pg'"),
  ...allowed('core/server-kit', "'@modelcontextprotocol/sdk/types.js'", "'zod'"),
  ...forbidden('core/postgres-kit', "'#core/pool/pool.ts'", "'#core/server-kit/serve.ts'", "'hono'"),
  ...allowed('core/postgres-kit', "'pg'", "'#core/server-kit/tool-error.ts'", "'node:child_process'"),
  ...forbidden('core/fleet-status', "'#core/pool/pool.ts'", "'#core/http/app.ts'", "'undici'"),
  ...allowed('core/fleet-status', "'#core/printable.ts'"),
  ...forbidden('core/deploy', "'#core/bridge.ts'", "'#core/http/app.ts'", "'#core/cli/say.ts'", "'node:child_process'"),
  ...allowed('core/deploy', "'#core/deploy/step.ts'", "'#core/manifest.ts'"),
  ...forbidden('core/cli', "'hono'", "'zod'", "'node:child_process'"),
  ...allowed('core/cli', "'commander'"),
];

function forbidden(room: string, ...modules: string[]) {
  return modules.map((module) => ({
    file: `${room}/x.ts`,
    code: `import { x } from ${module};\nx();\n`,
    allowed: false,
  }));
}

function allowed(room: string, ...modules: string[]) {
  return modules.map((module) => ({
    file: `${room}/x.ts`,
    code: `import { x } from ${module};\nx();\n`,
    allowed: true,
  }));
}

it('a room entered wrongly fails the lint, a room entered rightly does not', () => {
  const dir = mkdtempSync(join(tmpdir(), 'rooms-'));
  try {
    cpSync(join(ROOT, 'biome.json'), join(dir, 'biome.json'));
    spawnSync('git', ['init', '-q', dir]);
    const files = CASES.map(({ file, code }, i) => {
      const path = file.replace('x.ts', `x${i}.ts`);
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), code);
      return path;
    });
    const { stdout, stderr } = spawnSync(
      join(ROOT, 'node_modules/.bin/biome'),
      ['lint', '--only=style/noRestrictedImports', '--reporter=github', '--max-diagnostics=none', ...files],
      { cwd: dir, encoding: 'utf8' },
    );
    const output = stdout + stderr;
    expect(output).not.toBe('');
    const verdicts = files.map((path, i) => ({ ...CASES[i], fails: output.includes(`/${path},`) }));
    expect(verdicts.filter(({ fails, allowed: may }) => fails === may)).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

it('process.env is read in the configuration alone', () => {
  const { stdout } = spawnSync('git', ['grep', '-l', 'process\\.env', '--', 'core/*.ts', 'core/**/*.ts'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const readers = stdout.split('\n').filter((file) => file !== '' && !file.startsWith('core/server-kit/'));
  expect(readers.every((file) => file.startsWith('core/config'))).toBe(true);
  expect(readers.length).toBeLessThanOrEqual(1);
});
