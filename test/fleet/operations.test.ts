import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/until.ts';

/** The commands as a person runs them, over a bridge of three replicas and a front, while a client calls all the time. */

const ROOT = resolve(import.meta.dirname, '../..');
const PROJECT = `operations-${process.pid}`;
const REGISTRY = `${PROJECT}/`;
const MEMORY = join(ROOT, 'compose/.fleet', `${PROJECT}.json`);
const ENV = { ...process.env, REGISTRY, NODE_COMPILE_CACHE: join(ROOT, '.cache/node') };
const OPERATION_MS = 240_000;

async function run(command: string, args: readonly string[], { input = '', env = {}, mayFail = false } = {}) {
  const child = spawn(command, args, { cwd: ROOT, env: { ...ENV, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(input);
  const [[code], stdout, stderr] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
  if (code !== 0 && !mayFail) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stderr}`);
  return { code: code as number, stdout, stderr };
}

function docker(...args: readonly string[]): Promise<string> {
  return run('docker', args).then(({ stdout }) => stdout.trim());
}

const OWN = ['--file', 'test/fixtures/deploy/compose.yaml', '--project-name', PROJECT];

function fleet(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return run(process.execPath, ['core/cli/fleet.ts', ...args, ...OWN], { env, mayFail: true });
}

/** An image that differs from others of the same service by what is set in it. */
async function image(tag: string, setting: string): Promise<void> {
  const dockerfile = `FROM node:24-bookworm-slim\nENV ${setting}\n`;
  await run('docker', ['build', '--quiet', '--tag', `${REGISTRY}mcp-bridge-slack:${tag}`, '-'], { input: dockerfile });
}

/** Names of the living replicas, oldest first. */
async function replicas(): Promise<readonly string[]> {
  const filters = [`label=com.docker.compose.project=${PROJECT}`, 'label=com.docker.compose.service=mcp-slack'];
  const names = await docker('ps', ...filters.flatMap((filter) => ['--filter', filter]), '--format', '{{.Names}}');
  return names
    .split('\n')
    .filter(Boolean)
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

async function imagesRunning(): Promise<readonly string[]> {
  const names = await replicas();
  return Promise.all(names.map((name) => docker('inspect', '--format', '{{.Config.Image}}', name)));
}

interface Load extends AsyncDisposable {
  readonly calls: number;
  readonly failures: readonly string[];
}

/** Whether the last thing each of them has said is that it answered a call. */
async function allAnswer(names: readonly string[]): Promise<boolean> {
  const last = await Promise.all(names.map((name) => docker('logs', '--tail', '1', name)));
  return last.every((line) => line.includes('"msg":"call"'));
}

/** Callers that call one after the other, each its next call as soon as the last was answered, 20 ms apart. */
async function load(callers = 8): Promise<Load> {
  const front = (await docker('ps', '--quiet', '--filter', `name=${PROJECT}-front-1`)).split('\n')[0] ?? '';
  const address = (await docker('port', front, '8080')).split('\n')[0];
  const agent = new Agent({ connections: callers, keepAliveTimeout: 1_000, headersTimeout: 30_000 });
  const failures: string[] = [];
  let calls = 0;
  let stopped = false;
  const call = async (): Promise<void> => {
    const { statusCode, body } = await agent.request({
      origin: `http://${address}`,
      path: '/slack/mcp/tools/echo',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"text":"x"}',
    });
    const said = await body.text();
    calls += 1;
    if (statusCode !== 200) failures.push(`${statusCode} ${said}`);
  };
  const caller = async (): Promise<void> => {
    while (!stopped) {
      await call().catch((error: unknown) => failures.push(String(error)));
      await delay(20);
    }
  };
  const working = Array.from({ length: callers }, caller);
  await until('the first calls are answered', () => calls >= callers);
  return {
    get calls() {
      return calls;
    },
    failures,
    async [Symbol.asyncDispose]() {
      stopped = true;
      await Promise.all(working);
      await agent.destroy();
    },
  };
}

beforeAll(async () => {
  await Promise.all([
    image('v1', 'DEPLOYED=v1'),
    image('v2', 'DEPLOYED=v2'),
    image('broken', 'PORT=none'),
    image('deaf', 'PORT=3999'),
  ]);
  const { code, stderr } = await fleet(['up']);
  expect(stderr).toContain('healthy: slack 3');
  expect(code).toBe(0);
}, OPERATION_MS);

afterAll(async () => {
  await fleet(['down', '--volumes', '--yes']);
  const images = await docker('images', '--format', '{{.Repository}}:{{.Tag}}', `${REGISTRY}mcp-bridge-slack`);
  await docker('rmi', '--force', ...images.split('\n'));
  rmSync(MEMORY, { force: true });
  const left = await docker('ps', '--all', '--quiet', '--filter', `label=com.docker.compose.project=${PROJECT}`);
  expect(left).toBe('');
}, OPERATION_MS);

it(
  'up prints where to look and a call to copy, and a second time changes nothing',
  async () => {
    const before = await replicas();
    const { code, stderr } = await fleet(['up']);
    expect(code).toBe(0);
    expect(stderr).toMatch(/look at http:\/\/127\.0\.0\.1:\d+/);
    expect(stderr).toMatch(/try: curl http:.*\/slack\/mcp\/tools\/find_channel/);
    expect(await replicas()).toEqual(before);
  },
  OPERATION_MS,
);

it(
  'a rolling restart of all replicas fails none of thousands of calls (L4)',
  async () => {
    const before = await replicas();
    await using calls = await load(24);
    const { code, stderr } = await fleet(['restart', 'slack']);
    expect(stderr).toContain('slack 3/3: new replica healthy');
    expect(code).toBe(0);
    const after = await replicas();
    expect(after).toHaveLength(3);
    expect(after.filter((name) => before.includes(name))).toEqual([]);
    await until('five thousand calls', () => calls.calls >= 5_000, { timeoutMs: 60_000 });
    expect(calls.failures).toEqual([]);
  },
  OPERATION_MS,
);

it(
  '3 to 5 to 3 replicas fail no call, and the new ones take theirs (L7)',
  async () => {
    const before = await replicas();
    await using calls = await load();
    expect((await fleet(['scale', 'slack=5'])).code).toBe(0);
    expect(await replicas()).toEqual([...before, ...(await replicas()).slice(3)]);
    const five = await replicas();
    expect(five).toHaveLength(5);
    await until('the new ones take calls too', () => allAnswer(five));
    expect((await fleet(['up'])).code).toBe(0);
    expect(await replicas()).toHaveLength(5);
    expect((await fleet(['scale', 'slack=3'])).code).toBe(0);
    expect(await replicas()).toEqual(before);
    expect(calls.failures).toEqual([]);
  },
  OPERATION_MS,
);

it(
  'a deploy exchanges every replica, a rollback brings the image of before back, and no call fails',
  async () => {
    const v1 = `${REGISTRY}mcp-bridge-slack:v1`;
    const v2 = `${REGISTRY}mcp-bridge-slack:v2`;
    await using calls = await load();
    const deployed = await fleet(['deploy', 'slack', '--tag', 'v2']);
    expect(deployed.stderr).toContain(`3 replicas run ${v2}`);
    expect(deployed.code).toBe(0);
    expect(await imagesRunning()).toEqual([v2, v2, v2]);
    expect((await fleet(['up'])).code).toBe(0);
    expect(await imagesRunning()).toEqual([v2, v2, v2]);
    expect((await fleet(['rollback', 'slack'])).code).toBe(0);
    expect(await imagesRunning()).toEqual([v1, v1, v1]);
    expect(calls.failures).toEqual([]);
  },
  OPERATION_MS,
);

it.each([
  ['ends at once', 'broken', 'PORT: must be a whole number'],
  ['never becomes healthy', 'deaf', '"msg":"ready"'],
])(
  'an image that %s changes nothing: the old replicas serve on, and its log is shown',
  async (_, tag, logged) => {
    const before = await replicas();
    const remembered = readFileSync(MEMORY, 'utf8');
    await using calls = await load();
    const { code, stderr } = await fleet(['deploy', 'slack', '--tag', tag, '--timeout', '15']);
    expect(code).toBe(1);
    expect(stderr).toContain('nothing is lost');
    expect(stderr).toContain(logged);
    expect(await replicas()).toEqual(before);
    expect(JSON.parse(readFileSync(MEMORY, 'utf8'))).toEqual(JSON.parse(remembered));
    expect(calls.failures).toEqual([]);
  },
  OPERATION_MS,
);

it(
  'a deploy that was broken off goes on when it is run again',
  async () => {
    await using calls = await load();
    const child = spawn(process.execPath, ['core/cli/fleet.ts', 'deploy', 'slack', '--tag', 'v2', ...OWN], {
      cwd: ROOT,
      env: ENV,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const ended = once(child, 'close');
    for await (const chunk of child.stderr) if (String(chunk).includes('2/3: starting')) break;
    // As when its machine loses power: it cannot tidy up.
    child.kill('SIGKILL');
    await ended;
    const { code } = await fleet(['deploy', 'slack', '--tag', 'v2']);
    expect(code).toBe(0);
    const v2 = `${REGISTRY}mcp-bridge-slack:v2`;
    expect(await imagesRunning()).toEqual([v2, v2, v2]);
    expect(calls.failures).toEqual([]);
  },
  OPERATION_MS,
);

it(
  'up with changed settings goes the way of a deploy: never are all replicas gone (L9)',
  async () => {
    await using calls = await load();
    const before = await replicas();
    const { code, stderr } = await fleet(['up'], { SETTING: 'after' });
    expect(code).toBe(0);
    expect(stderr).toContain('slack 3/3: new replica healthy');
    expect((await replicas()).filter((name) => before.includes(name))).toEqual([]);
    expect(calls.failures).toEqual([]);
  },
  OPERATION_MS,
);

it(
  'what would lose calls is refused with what to do instead, and nothing is touched (L9)',
  async () => {
    const before = await replicas();
    const recreate = await fleet(['up', '--force-recreate']);
    expect(recreate.code).toBe(64);
    expect(recreate.stderr).toContain('fleet restart');
    const none = await fleet(['scale', 'slack=0']);
    expect(none.code).toBe(64);
    expect(none.stderr).toContain('--yes');
    const volumes = await fleet(['down', '--volumes']);
    expect(volumes.code).toBe(64);
    expect((await fleet(['restart', 'front'])).code).toBe(64);
    expect((await fleet(['scale', 'front=2'])).code).toBe(64);
    expect(await replicas()).toEqual(before);
  },
  OPERATION_MS,
);

it(
  'the front reloads its configuration without a failed call',
  async () => {
    await using calls = await load();
    const front = await docker('inspect', '--format', '{{.State.StartedAt}}', `${PROJECT}-front-1`);
    const { code, stderr } = await fleet(['deploy', 'front']);
    expect(code).toBe(0);
    expect(stderr).toContain('configuration reloaded');
    expect(await docker('inspect', '--format', '{{.State.StartedAt}}', `${PROJECT}-front-1`)).toBe(front);
    const from = calls.calls;
    await until('200 calls more', () => calls.calls >= from + 200);
    expect(calls.failures).toEqual([]);
  },
  OPERATION_MS,
);

it(
  'logs prints what the replicas have said',
  async () => {
    const { code, stdout } = await fleet(['logs', 'slack', '--tail', '50']);
    expect(code).toBe(0);
    expect(stdout).toContain('"msg":"call"');
  },
  OPERATION_MS,
);
