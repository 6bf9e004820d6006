// biome-ignore-all lint/suspicious/noTemplateCurlyInString: config files have placeholders.
/** Secrets are turned on SIGHUP: workers with the new ones take over from those with the old ones, and no call is lost. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FAKE_CHILD, Fleet } from '../support/fleet.ts';
import { until } from '../support/until.ts';

// Nobody may wait: a moment without a ready worker would be a refusal.
const NO_QUEUE = { concurrency: 64, queueMax: 0, maxShareOfTool: 1 };

/** A folder with the files that a test turns. */
class Files implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'rotation-'));

  path(name: string): string {
    return join(this.folder, name);
  }

  write(name: string, content: string): string {
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  /** The config file: one bridge on the fake child. */
  configure(fake: object, process: object = {}): string {
    const server = { command: globalThis.process.execPath, args: [FAKE_CHILD], ...fake };
    return this.write('fleet.config.json', JSON.stringify({ mcpServers: { fake: server, ...process } }));
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

const serve = (file: string, env: Readonly<Record<string, string>> = {}): Promise<Fleet> =>
  Fleet.start({ args: ['serve', '--config', file], env });

const sha256 = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** The digest of the secret that whoever answers holds. */
async function held(fleet: Fleet): Promise<string> {
  return JSON.parse((await fleet.call('meta', { digestOf: 'API_TOKEN' })).json.content[0].text).digest;
}

const told = (fleet: Fleet, text: string): number => fleet.log.filter(({ msg }) => msg.includes(text)).length;

/** Sends SIGHUP and waits until that many reloads were told with these words. */
async function reload(fleet: Fleet, words: string): Promise<void> {
  const before = told(fleet, words);
  fleet.process.kill('SIGHUP');
  await until(`it says: ${words}`, () => told(fleet, words) > before, { timeoutMs: 25_000 });
}

/** Calls without a pause while `work` is done; what was answered other than 200, and how many calls there were. */
async function underLoad(fleet: Fleet, work: () => Promise<void>): Promise<{ refused: string[]; calls: number }> {
  const refused: string[] = [];
  let calls = 0;
  let on = true;
  const running = Array.from({ length: 8 }, async () => {
    while (on) {
      const { status, json } = await fleet.call('sleep', { ms: 20 });
      calls += 1;
      if (status !== 200) refused.push(`${status} ${json.code}`);
    }
  });
  try {
    await work();
  } finally {
    on = false;
    await Promise.all(running);
  }
  return { refused, calls };
}

const IN_FORCE = 'new settings are in force';
const REFUSED = 'no worker started with the new settings';
const OLD_STAYS = 'the configuration of before stays in force';

it('a new secret of a file reaches new workers by a rolling swap that fails no call, and is shown nowhere', async () => {
  using files = new Files();
  const token = files.write('token', 'canary-first\n');
  const env = { API_TOKEN: '${TOKEN}', FAKE_START_MS: '200', FAKE_STDERR_AT_START: 'with ${TOKEN}' };
  const config = files.configure({ env, pool: { ...NO_QUEUE, min: 2, max: 2 } });
  await using fleet = await serve(config, { TOKEN_FILE: token });
  expect(await held(fleet)).toBe(sha256('canary-first'));

  const { refused, calls } = await underLoad(fleet, async () => {
    for (const secret of ['canary-second', 'canary-third']) {
      const before = (await fleet.status()).pool.ended.reload ?? 0;
      files.write('token', `${secret}\n`);
      await reload(fleet, IN_FORCE);
      await until('both are replaced', async () => (await fleet.status()).pool.ended.reload === before + 2);
      for (let n = 0; n < 10; n++) expect(await held(fleet)).toBe(sha256(secret));
    }
  });
  expect(refused).toEqual([]);
  expect(calls).toBeGreaterThan(100);
  expect((await fleet.status()).pool.ended).toEqual({ reload: 4 });
  await until('the last one has spoken', () => told(fleet, 'worker stderr') >= 6);
  expect(fleet.everything()).toContain('with [redacted]');
  expect(fleet.everything()).not.toContain('canary');
}, 60_000);

it('a secret with which no worker starts leaves those of before serving, and is told; a good one afterwards is taken', async () => {
  using files = new Files();
  const token = files.write('token', 'good-one');
  // The child ends at its start while its secret is the name of a file that is there.
  const config = files.configure({
    env: { API_TOKEN: '${TOKEN}', FAKE_EXIT_WHILE_FILE: '${TOKEN}' },
    pool: { ...NO_QUEUE, min: 1, max: 1 },
  });
  await using fleet = await serve(config, { TOKEN_FILE: token });
  const { refused } = await underLoad(fleet, async () => {
    files.write('token', token);
    await reload(fleet, REFUSED);
    expect(await held(fleet)).toBe(sha256('good-one'));
  });
  expect(refused).toEqual([]);
  expect(fleet.log).toContainEqual(expect.objectContaining({ msg: 'worker ended', reason: 'start_failed' }));

  // Also where a worker has to be started anew meanwhile.
  await fleet.call('crash', { code: 1 });
  await until('another one answers', async () => (await fleet.call('echo', { text: 'x' })).status === 200);
  expect(await held(fleet)).toBe(sha256('good-one'));

  // The same once more is tried once more; and a better one is taken.
  await reload(fleet, REFUSED);
  files.write('token', 'good-two');
  await reload(fleet, IN_FORCE);
  expect(await held(fleet)).toBe(sha256('good-two'));
}, 60_000);

it('a bridge that cannot start at all takes the corrected secret at once', async () => {
  using files = new Files();
  const token = files.write('token', files.path('token'));
  const config = files.configure({ env: { API_TOKEN: '${TOKEN}', FAKE_EXIT_WHILE_FILE: '${TOKEN}' } });
  await using fleet = await serve(config, { TOKEN_FILE: token });
  await until('it is given up', async () => (await fleet.status()).pool.state === 'failed');
  files.write('token', 'good');
  await reload(fleet, IN_FORCE);
  expect(await held(fleet)).toBe(sha256('good'));
}, 60_000);

it('a configuration that cannot be used changes nothing, and every problem of it is told', async () => {
  using files = new Files();
  const token = files.write('token', 'good');
  const config = files.configure({ env: { API_TOKEN: '${TOKEN}' } });
  await using fleet = await serve(config, { TOKEN_FILE: token });
  files.write('token', '');
  files.configure({ env: { API_TOKEN: '${TOKEN}' }, pool: { max: 'canary' }, tools: { echo: { effect: 'canary' } } });
  await reload(fleet, OLD_STAYS);
  for (const where of ['TOKEN_FILE: its file is empty', 'fake.pool.max: must be', 'fake.tools.echo.effect: must be']) {
    expect(fleet.log).toContainEqual(expect.objectContaining({ level: 'error', msg: expect.stringContaining(where) }));
  }
  expect(fleet.everything()).not.toContain('canary');
  expect(await held(fleet)).toBe(sha256('good'));
  expect((await fleet.status()).pool.spawned).toBe(1);
});

it('arguments and policies are taken over, what needs a restart is named, and where nothing changed nothing is replaced', async () => {
  using files = new Files();
  const pool = { min: 1, max: 1 };
  const tools = { echo: { effect: 'read', deadlineMs: 1000 } };
  const config = files.configure({ pool, tools });
  await using fleet = await serve(config);
  const policy = async () =>
    (await fleet.request('/fake/mcp/tools/echo', undefined, { method: 'GET' })).json.policy.deadlineMs;
  const pid = async () => JSON.parse((await fleet.call('meta')).json.content[0].text).pid;
  const first = await pid();
  expect(await policy()).toBe(1000);

  // Policies are ours: no worker has to go for them.
  files.configure({ pool, tools: { echo: { effect: 'read', deadlineMs: 2000 } } });
  await reload(fleet, IN_FORCE);
  expect(await policy()).toBe(2000);
  expect(await pid()).toBe(first);

  files.configure(
    { pool: { min: 1, max: 3 }, tools, args: [FAKE_CHILD, '--fake-arg=new'] },
    { other: { command: 'true' } },
  );
  await reload(fleet, IN_FORCE);
  expect(await policy()).toBe(1000);
  const { argv } = JSON.parse((await fleet.call('meta')).json.content[0].text);
  expect(argv).toEqual(['--fake-arg=new']);
  expect((await fleet.status()).pool.max).toBe(1);
  expect(fleet.log).toContainEqual(expect.objectContaining({ level: 'warn', changed: ['fake.pool', 'other (new)'] }));

  // Twice the same is once too often only for who waits for words.
  const spawned = (await fleet.status()).pool.spawned;
  await reload(fleet, 'takes a restart');
  await reload(fleet, 'takes a restart');
  expect((await fleet.status()).pool.spawned).toBe(spawned);
}, 60_000);

it('what was answered with the old secret is not given out of the cache afterwards', async () => {
  using files = new Files();
  const token = files.write('token', 'first');
  const tools = { meta: { effect: 'read', cacheTtlMs: 600_000 } };
  const config = files.configure({ env: { API_TOKEN: '${TOKEN}' }, tools });
  await using fleet = await serve(config, { TOKEN_FILE: token });
  const ask = async () => fleet.call('meta', { digestOf: 'API_TOKEN' });
  const digest = ({ json }: Awaited<ReturnType<typeof ask>>) => JSON.parse(json.content[0].text).digest;
  await ask();
  expect((await ask()).headers['x-cache']).toBe('hit');
  files.write('token', 'second');
  await reload(fleet, IN_FORCE);
  await until('the old one has ended', async () => (await fleet.status()).pool.ended.reload === 1);
  const answers = [await ask(), await ask()];
  expect(answers.map(digest)).toEqual([sha256('second'), sha256('second')]);
  expect(answers.map(({ headers }) => headers['x-cache'])).toEqual([undefined, 'hit']);
});

it('a secret of a bridge that comes with the service is turned in the same way', async () => {
  using files = new Files();
  const { bridges } = await import('../../bridges/index.ts');
  const manifest = await bridges.slack?.();
  await using sandbox = await manifest?.sandbox?.({ dataDir: files.folder });
  const { SLACK_BOT_TOKEN = '', ...env } = sandbox?.env ?? {};
  const token = files.write('token', 'xoxb-nobody-knows-this-canary');
  await using fleet = await Fleet.start({ args: ['serve', 'slack'], env: { ...env, SLACK_BOT_TOKEN_FILE: token } });
  const find = async () => (await fleet.request('/mcp/tools/find_channel', { name: 'general' })).json;
  expect((await find()).isError).toBe(true);
  files.write('token', SLACK_BOT_TOKEN);
  await reload(fleet, IN_FORCE);
  await until('only new ones answer', async () => (await find()).isError !== true);
  expect(fleet.everything()).not.toContain('canary');
}, 60_000);

it('fleet dev has nobody to read anything again for: SIGHUP, the end of its terminal, ends it', async () => {
  await using fleet = await Fleet.start({ args: ['dev', 'slack'] });
  expect(await fleet.stop('SIGHUP')).toEqual({ code: 0, signal: null });
});
