/** `fleet sandbox`: a stand-in by itself, as another project's tests would use it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { WebClient } from '@slack/web-api';
import pg from 'pg';
import { expect, it } from 'vitest';
import { Fleet } from '../../support/fleet.ts';
import { freePort } from '../../support/free-port.ts';
import { until } from '../../support/until.ts';
import { fleet } from './run.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

/** A running `fleet sandbox`. */
class Running implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  readonly stdout: string[] = [];
  stderr = '';

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(process.execPath, [join(ROOT, 'core/cli/fleet.ts'), 'sandbox', ...args], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: join(ROOT, '.cache/node'), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#ended = once(this.#child, 'exit');
    if (this.#child.stdout) createInterface({ input: this.#child.stdout }).on('line', (line) => this.stdout.push(line));
    this.#child.stderr?.setEncoding('utf8').on('data', (more: string) => {
      this.stderr += more;
    });
  }

  async lines(count: number): Promise<readonly string[]> {
    await until('it says where it is', () => this.stdout.length >= count, { timeoutMs: 25_000 });
    return this.stdout;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Exit code and signal. */
  async stop(signal: NodeJS.Signals): Promise<unknown[]> {
    this.#child.kill(signal);
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM');
    await this.#ended;
  }
}

/** What a shell has in its environment after it has read these lines. */
async function sourced(lines: readonly string[]): Promise<Record<string, string>> {
  const shell = spawn('sh', ['-c', `${lines.join('\n')}\nenv -0`], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] });
  const variables = (await text(shell.stdout)).split('\0').filter((line) => line.includes('='));
  return Object.fromEntries(
    variables.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

it('a shell can take its lines, the vendor’s own SDK then reaches it, and a fault can be ordered as told', async () => {
  await using sandbox = new Running(['slack']);
  const env = await sourced(await sandbox.lines(2));
  const slack = new WebClient(env.SLACK_BOT_TOKEN ?? '', {
    slackApiUrl: env.SLACK_API_URL ?? '',
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
  });
  expect((await slack.auth.test()).ok).toBe(true);

  await until('it says how to use it', () => sandbox.stderr.includes('Ctrl-C'));
  const [, url = '', body = ''] = /curl -s (\S+\/_sandbox\/faults) -d '(.+)'/.exec(sandbox.stderr) ?? [];
  expect((await fetch(url, { method: 'POST', body })).status).toBe(201);
  await expect(slack.auth.test()).rejects.toMatchObject({ code: 'slack_webapi_rate_limited_error', retryAfter: 2 });
  expect((await slack.auth.test()).ok).toBe(true);
  expect(await sandbox.stop('SIGTERM')).toEqual([0, null]);
});

it('with --json it is one object, on the port that was asked for, and a bridge can be put in front of it', async () => {
  const port = await freePort();
  await using sandbox = new Running(['slack', '--json', '--port', String(port)]);
  const [line = ''] = await sandbox.lines(1);
  const { name, url, control, env } = JSON.parse(line);
  expect({ name, url, control }).toEqual({
    name: 'slack',
    url: `http://127.0.0.1:${port}`,
    control: `http://127.0.0.1:${port}/_sandbox/`,
  });
  await using bridge = await Fleet.start({ args: ['serve', 'slack'], env });
  const { json } = await bridge.request('/mcp/tools/find_channel', { name: 'general' });
  expect(json.isError).not.toBe(true);
  const witness = (await (await fetch(`${control}received`)).json()) as { readonly received: readonly object[] };
  expect(witness.received.length).toBeGreaterThan(0);
  expect(sandbox.stdout).toHaveLength(1);
});

it('a stand-in that is no HTTP server prints its variables, and leaves no process and no file behind', async () => {
  const tmp = mkdtempSync(join(tmpdir(), 'sandbox-test-'));
  // PostgreSQL runs as another user where the test is root's.
  chmodSync(tmp, 0o755);
  await using sandbox = new Running(['postgres', '--port', '1'], { TMPDIR: tmp });
  const env = await sourced(await sandbox.lines(2));
  await until('it says how to use it', () => sandbox.stderr.includes('--port'));
  expect(sandbox.stderr).not.toContain('_sandbox');
  const client = new pg.Client({ connectionString: env.DATABASE_URL });
  await client.connect();
  const { rows } = await client.query('select count(*)::int as n from events');
  await client.end();
  expect(rows[0].n).toBeGreaterThan(0);
  expect(await sandbox.stop('SIGINT')).toEqual([0, null]);
  expect(readdirSync(tmp).filter((entry) => entry.startsWith('fleet-sandbox-'))).toEqual([]);
  rmSync(tmp, { recursive: true });
  await expect(new pg.Client({ connectionString: env.DATABASE_URL }).connect()).rejects.toThrow('ECONNREFUSED');
}, 60_000);

it('a port that is taken is one line, and ends with 69', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = String(typeof address === 'object' ? address?.port : '');
  const { code, stdout, stderr } = await fleet(['sandbox', 'slack', '--port', port]);
  server.close();
  expect([code, stdout, stderr]).toEqual([
    69,
    '',
    `fleet: the stand-in of slack cannot start: port ${port} on 127.0.0.1 is in use; stop what uses it, or choose another with --port\n`,
  ]);
});

it.each([
  ['an unknown name', ['slak'], 78, 'fleet: sandbox: there is no bridge "slak"; did you mean slack?\n'],
  ['no port', ['slack', '--port', 'x'], 78, 'fleet: --port: must be a whole number from 0 to 65535\n'],
] as const)('%s is one line, and ends with %3$i', async (_what, args, code, stderr) => {
  expect(await fleet(['sandbox', ...args])).toEqual({ code, stdout: '', stderr });
});
