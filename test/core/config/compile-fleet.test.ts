import { expect, it } from 'vitest';
import { compileFleet, sandboxesNeeded } from '#core/config/compile-fleet.ts';
import { ConfigError } from '#core/config/problems.ts';
import { examine, examineFile, Folder, request, stripeLike } from './request.ts';

const stripe = { names: ['stripe'] };
const key = { STRIPE_SECRET_KEY: 'sk_canary' };

it('precedence is environment, config file, manifest, default, setting by setting', async () => {
  const file = { mcpServers: { stripe: { pool: { concurrency: 3, max: 7, queueMax: 9 } } } };
  const { config } = await examineFile(file, { ...key, POOL_MAX: '5' });
  expect(config.bridges[0]?.pool).toMatchObject({ max: 5, concurrency: 3, queueMax: 9, min: 0, maxUses: 100_000 });
});

it('a flag is above its variable', async () => {
  const { config } = await examine(
    { PORT: '1', HOST: '127.0.0.2', OPS_PORT: '2' },
    { flags: { port: '3', host: '127.0.0.3', opsPort: '4' } },
  );
  expect([config.http.port, config.http.host, config.ops]).toEqual([3, '127.0.0.3', { host: '127.0.0.3', port: 4 }]);
});

it('every POOL_ variable reaches its setting', async () => {
  const { config, problems } = await examine(
    {
      ...key,
      POOL_MIN: '2',
      POOL_MAX: '3',
      POOL_CONCURRENCY: '4',
      POOL_QUEUE_MAX: '0',
      POOL_IDLE_MS: '60000',
      POOL_MAX_AGE_MS: '70000',
      POOL_MAX_USES: '8',
      POOL_MIN_LIFE_MS: '70',
      POOL_MAX_RSS_MB: '90',
      POOL_START_DEADLINE_MS: '1000',
      POOL_MAX_LINE_BYTES: '4096',
      POOL_MAX_SHARE_OF_TOOL: '0.5',
    },
    stripe,
  );
  expect(problems).toEqual([]);
  expect(config.bridges[0]?.pool).toEqual({
    min: 2,
    max: 3,
    concurrency: 4,
    queueMax: 0,
    idleMs: 60_000,
    maxAgeMs: 70_000,
    maxUses: 8,
    minLifeMs: 70,
    maxRssMb: 90,
    startDeadlineMs: 1000,
    maxLineBytes: 4096,
    maxShareOfTool: 0.5,
  });
});

it('a POOL_ variable that is no number in range is a problem, a misspelt one a warning, neither with its value', async () => {
  const { problems, warnings } = await examine(
    { ...key, POOL_MAX: '4.5', POOL_MIN: '-1', POOL_MAXX: 'canary' },
    stripe,
  );
  expect(problems).toEqual([
    'POOL_MIN: must be a whole number from 0 to 256',
    'POOL_MAX: must be a whole number from 1 to 256',
  ]);
  expect(warnings).toEqual(['POOL_MAXX: is not a setting and has no effect; did you mean POOL_MAX?']);
});

it('min above max names both places', async () => {
  const { problems } = await examineFile({ mcpServers: { stripe: { pool: { max: 2 } } } }, { ...key, POOL_MIN: '3' });
  expect(problems).toEqual([
    'POOL_MIN: min 3 is above max 2 (fleet.config.json mcpServers.stripe.pool.max) for bridge stripe; raise max or lower min',
  ]);
});

it('an empty variable is an unset one', async () => {
  const { config, problems } = await examine({ POOL_MAX: '', PORT: '', AUTH: '', STRIPE_SECRET_KEY: '' }, stripe);
  expect(problems).toEqual([]);
  expect(config.bridges[0]).toMatchObject({ mode: 'not_configured', missing: ['STRIPE_SECRET_KEY'], pool: { max: 4 } });
});

it('an empty secret file of a bridge is an unset variable, with a warning: a stack mounts it for whoever has none', async () => {
  const { config, problems } = await examine({ STRIPE_SECRET_KEY_FILE: '/dev/null' }, stripe);
  expect(problems).toEqual([]);
  expect(config.bridges[0]).toMatchObject({ mode: 'not_configured', missing: ['STRIPE_SECRET_KEY'] });
  expect(config.warnings).toEqual([{ where: 'STRIPE_SECRET_KEY_FILE', what: 'its file is empty and counts as unset' }]);
});

it('the server of a bridge gets the variables its manifest names, and nothing else', async () => {
  const { config } = await examine(
    { ...key, STRIPE_ACCOUNT: 'acct', AWS_SECRET: 'x', NODE_OPTIONS: '-r y', PATH: '/bin' },
    stripe,
  );
  expect(config.bridges[0]).toMatchObject({
    mode: 'live',
    command: process.execPath,
    args: ['/srv/bridges/stripe/server.ts'],
  });
  expect(config.bridges[0]?.env).toEqual({ STRIPE_SECRET_KEY: 'sk_canary', STRIPE_ACCOUNT: 'acct' });
  expect(config.bridges[0]?.secrets).toEqual(['sk_canary']);
});

it('the compile cache is shared with the server, as an absolute path', async () => {
  const { config } = await examine({ ...key, NODE_COMPILE_CACHE: '.cache/node' }, { ...stripe, directory: '/srv' });
  expect(config.bridges[0]?.env.NODE_COMPILE_CACHE).toBe('/srv/.cache/node');
});

it('a secret may come as a file, whose last line break is not part of it', async () => {
  using folder = new Folder();
  const { config, problems } = await examine({ STRIPE_SECRET_KEY_FILE: folder.write('key', 'sk_canary\r\n') }, stripe);
  expect(problems).toEqual([]);
  expect(config.bridges[0]).toMatchObject({
    mode: 'live',
    env: { STRIPE_SECRET_KEY: 'sk_canary' },
    secrets: ['sk_canary'],
  });
});

it.each([
  [
    'cannot be read',
    { STRIPE_SECRET_KEY_FILE: '/absent/canary' },
    /^STRIPE_SECRET_KEY_FILE: its file cannot be read \(ENOENT\)/,
  ],
  [
    'is set twice',
    { ...key, STRIPE_SECRET_KEY_FILE: '/absent/canary' },
    /^STRIPE_SECRET_KEY_FILE: is set together with STRIPE_SECRET_KEY/,
  ],
  ['is a folder', { STRIPE_SECRET_KEY_FILE: '/' }, /^STRIPE_SECRET_KEY_FILE: its file cannot be read \(EISDIR\)/],
  [
    'never ends',
    { STRIPE_SECRET_KEY_FILE: '/dev/zero' },
    /^STRIPE_SECRET_KEY_FILE: its file cannot be read \(it is longer than 262144 bytes\)/,
  ],
  [
    'of the process is empty',
    { ...key, REDIS_URL_FILE: '/dev/null' },
    /^REDIS_URL_FILE: its file is empty; write the secret into it/,
  ],
])('a secret file that %s is a problem of its variable', async (_, env, expected) => {
  const { problems } = await examine(env, stripe);
  expect(problems).toEqual([expect.stringMatching(expected)]);
  expect(problems.join()).not.toContain('canary');
});

it('a password inside an address is a secret on its own', async () => {
  const { config } = await examine({ STRIPE_SECRET_KEY: 'postgres://u:p%40ss1@db/x' }, stripe);
  expect(config.secrets).toEqual(['postgres://u:p%40ss1@db/x', 'p%40ss1', 'p@ss1']);
});

it('a bridge without its secrets is not configured until its stand-in runs, and then gets no secret at all', async () => {
  const env = { STRIPE_WEBHOOK_SECRET: 'whsec_canary', STRIPE_ACCOUNT: 'acct' };
  const first = await compileFleet(request(env, stripe));
  expect(first.bridges[0]).toMatchObject({ mode: 'not_configured', missing: ['STRIPE_SECRET_KEY'] });
  const needed = await sandboxesNeeded(first, { stripe: async () => stripeLike });
  expect(needed.map(({ name }) => name)).toEqual(['stripe']);
  const sandboxes = new Map([['stripe', { STRIPE_API_BASE: 'http://127.0.0.1:9', STRIPE_SECRET_KEY: 'sk_sandbox' }]]);
  const second = await compileFleet(request(env, { ...stripe, sandboxes }));
  expect(second.bridges[0]).toMatchObject({
    mode: 'sandbox',
    env: { STRIPE_API_BASE: 'http://127.0.0.1:9', STRIPE_SECRET_KEY: 'sk_sandbox', STRIPE_ACCOUNT: 'acct' },
  });
  expect(second.bridges[0]?.env).not.toHaveProperty('STRIPE_WEBHOOK_SECRET');
});

const googleLike = {
  ...stripeLike,
  name: 'drive',
  environment: ['KEY_JSON', 'CLIENT_ID', 'CLIENT_SECRET'].map((name) => ({
    name,
    required: false,
    secret: true,
    help: 'A credential.',
  })),
  signIn: [['KEY_JSON'], ['CLIENT_ID', 'CLIENT_SECRET']],
};
const drive = { manifests: { drive: async () => googleLike }, names: ['drive'] };

it.each([
  ['none was begun', {}, ['KEY_JSON (or CLIENT_ID, CLIENT_SECRET)']],
  ['one was begun', { CLIENT_ID: 'id' }, ['CLIENT_SECRET']],
])('of several ways to sign in one must be complete: %s', async (_, env, missing) => {
  const { config, problems } = await examine(env, drive);
  expect(problems).toEqual([]);
  expect(config.bridges[0]).toMatchObject({ mode: 'not_configured', missing });
});

it.each([
  ['the first', { KEY_JSON: '{}', CLIENT_ID: 'id' }],
  ['the second', { CLIENT_ID: 'id', CLIENT_SECRET: 'canary' }],
])('one complete way to sign in is enough: %s', async (_, env) => {
  const { config, problems } = await examine(env, drive);
  expect(problems).toEqual([]);
  expect(config.bridges[0]).toMatchObject({ mode: 'live', missing: [], env });
});

it('two complete ways to sign in are a problem, since nobody can say which one is meant', async () => {
  const { problems } = await examine({ KEY_JSON: 'canary', CLIENT_ID: 'id', CLIENT_SECRET: 'canary' }, drive);
  expect(problems).toEqual(['drive: has KEY_JSON as well as CLIENT_ID, CLIENT_SECRET; unset all but one way']);
});

it('a bridge with its secrets never meets the stand-in', async () => {
  const sandboxes = new Map([['stripe', { STRIPE_SECRET_KEY: 'sk_sandbox' }]]);
  const config = await compileFleet(request(key, { ...stripe, sandboxes }));
  expect(config.bridges[0]).toMatchObject({ mode: 'live', env: { STRIPE_SECRET_KEY: 'sk_canary' } });
  expect(await sandboxesNeeded(config, { stripe: async () => stripeLike })).toEqual([]);
});

it('a bridge against its stand-in rests until it is called, unless the operator says how many workers there are', async () => {
  const busy = { ...stripeLike, pool: { min: 2 } };
  const minOf = async (env: Readonly<Record<string, string>>, sandboxed: boolean) => {
    const sandboxes = sandboxed ? new Map([['stripe', {}]]) : undefined;
    const { bridges } = await compileFleet(
      request(env, { names: ['stripe'], sandboxes, manifests: { stripe: async () => busy } }),
    );
    return bridges[0]?.pool.min;
  };
  expect(await minOf({}, true)).toBe(0);
  expect(await minOf({ POOL_MIN: '1' }, true)).toBe(1);
  expect(await minOf({ STRIPE_SECRET_KEY: 'sk' }, true)).toBe(2);
  expect(await minOf({}, false)).toBe(2);
});

it('an entry without a command refines the bridge of that name, tool by tool', async () => {
  const file = {
    mcpServers: {
      stripe: { tools: { charge: { deadlineMs: 7 }, refund: { effect: 'idempotent' } }, env: { STRIPE_ACCOUNT: 'b' } },
    },
  };
  const { config, problems } = await examineFile(file, { ...key, STRIPE_ACCOUNT: 'a' });
  expect(problems).toEqual([]);
  expect(config.bridges[0]).toMatchObject({
    title: 'Stripe',
    env: { STRIPE_ACCOUNT: 'b' },
    tools: {
      list_charges: { effect: 'read', cacheTtlMs: 1000 },
      charge: { effect: 'write', deadlineMs: 7, idempotencyKey: 'required' },
      refund: { effect: 'idempotent', deadlineMs: 30_000 },
    },
  });
});

it('an entry without a command may not say what belongs to one', async () => {
  const { problems } = await examineFile({ mcpServers: { stripe: { args: ['x'], env: { OTHER: 'y' } } } }, key);
  expect(problems).toEqual([
    'fleet.config.json mcpServers.stripe.args: belongs to a command of your own; set command too, or remove it',
    'fleet.config.json mcpServers.stripe.env.OTHER: is not a variable of bridge stripe; remove it',
  ]);
});

it('an entry with a command takes the place of the bridge, its effects and its secrets included', async () => {
  const { config } = await examineFile({ mcpServers: { stripe: { command: 'other' } } }, key);
  expect(config.bridges[0]).toMatchObject({ command: 'other', env: {}, tools: {}, otherTools: { effect: 'write' } });
  expect(config.origins.get('stripe')).toBe('config file');
});

it('a command of the command line is served as it is', async () => {
  const inline = { name: 'echo', command: ['node', 'a b.mjs', '$X'] };
  const { config, problems } = await examine({}, { inline, directory: '/tmp' });
  expect(problems).toEqual([]);
  expect(config.bridges).toMatchObject([
    { name: 'echo', command: 'node', args: ['a b.mjs', '$X'], cwd: '/tmp', mode: 'live' },
  ]);
});

it.each([
  ['nothing', {}, /^serve: names no bridge/],
  ['an unknown bridge', { names: ['strip'] }, /^serve: there is no bridge "strip"; did you mean stripe\?/],
  ['something quite unknown', { names: ['weather'] }, /^serve: there is no bridge "weather"; known are stripe$/],
  ['a member of every object', { names: ['constructor'] }, /^serve: there is no bridge "constructor"/],
  ['a command without a name', { inline: { name: undefined, command: ['x'] } }, /^--: a command needs a name/],
  ['a name without a command', { inline: { name: 'x', command: undefined } }, /^--name: names a command/],
  ['an empty command', { inline: { name: 'x', command: [] } }, /^--: no command follows/],
  ['a bad name', { inline: { name: 'X_', command: ['x'] } }, /^--name: a bridge is named with/],
  [
    'a taken name',
    { names: ['stripe'], inline: { name: 'stripe', command: ['x'] } },
    /^--name: stripe is served already/,
  ],
])('serving %s is one problem', async (_, more, expected) => {
  const { problems } = await examine(key, more);
  expect(problems).toEqual([expect.stringMatching(expected)]);
});

it('names choose among the servers of a file and the bridges that come with the service', async () => {
  const file = { mcpServers: { a: { command: 'x' }, b: { command: 'x' } } };
  const { config } = await examineFile(file, key, { names: ['b', 'stripe', 'b'] });
  expect(config.bridges.map(({ name }) => name)).toEqual(['b', 'stripe']);
});

it('compiling throws every problem at once', async () => {
  const error = await compileFleet(request({ PORT: 'x', LOG_LEVEL: 'loud' })).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).message.split('\n')).toEqual([
    'PORT: must be a whole number from 0 to 65535',
    'LOG_LEVEL: must be one of debug, info, warn, error, silent',
    'serve: names no bridge; name some, or use --all, --config FILE, or --name NAME -- COMMAND',
  ]);
});
