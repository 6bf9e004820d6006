/**
 * The production stack as an operator has it: brought up, scaled, replaced and taken down by the project's own commands,
 * with keys, TLS, Redis and PostgreSQL, under a load that never stops. Counts decide: no call fails, and a ledger without
 * any constraint says that none ran twice.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { buildImages } from './support/images.ts';
import { type Call, Client, Load } from './support/load.ts';
import { Production, tell } from './support/production.ts';
import { docker, ROOT, Stage } from './support/stage.ts';

const EVENT_MS = 400_000;
const MIN_CALLS = 5_000;
const CANARIES = ['canary-of-the-reader-4c1d', 'canary-of-the-writer-9e07'] as const;
const NODE = process.env.NODE_IMAGE ?? 'node:24-bookworm-slim';
/** A collector's stand-in that prints what arrives. */
const COLLECTOR = `
  import { OtlpSink } from '${ROOT}/test/support/otlp-sink.ts';
  const sink = await OtlpSink.start({ host: '0.0.0.0', port: 4318 });
  let told = 0;
  setInterval(() => {
    for (const span of sink.spans.slice(told)) console.log(span.traceId, span.kind, span.name);
    told = sink.spans.length;
  }, 100);`;
const SERVICES = ['front', 'redis', 'postgres', 'egress', 'mcp-postgres', 'mcp-memory'] as const;

const running = new AsyncDisposableStack();
let fleet: Production;
let client: Client;
let key = '';

/** A row with the id; nothing keeps a second one with the same from being written. */
const insert = (id: string, seconds = 0): Call => ({
  path: '/postgres/mcp/tools/execute',
  body: {
    sql: seconds > 0 ? `insert into ledger select $1 from pg_sleep(${seconds})` : 'insert into ledger values ($1)',
    params: [id],
  },
});
const remember = (text: string): Call => ({ path: '/memory/mcp/tools/memory_remember', body: { text } });

/** How many rows the calls of a load have written, and how many of them with an id of their own. */
async function written(name: string): Promise<readonly [rows: number, ids: number]> {
  const counted = await fleet.sql('app', `select count(*), count(distinct id) from ledger where id like '${name}-%'`);
  const [rows = Number.NaN, ids = Number.NaN] = counted.split('|').map(Number);
  return [rows, ids];
}

/** Calls all the while, and on to their least number; every one has to be answered, and to have run once. */
async function unharmed(name: string, work: (load: Load) => Promise<unknown>): Promise<void> {
  await using load = new Load(client, { name, call: (id) => insert(id) });
  await load.more(100);
  await work(load);
  await load.reach(MIN_CALLS);
  tell(await load.stop());
  expect(load.failures).toEqual([]);
  expect(await written(name)).toEqual([load.calls, load.calls]);
}

const images = (containers: readonly string[]) =>
  Promise.all(containers.map((container) => docker('inspect', '--format', '{{.Config.Image}}', container)));

beforeAll(async () => {
  tell('building images');
  await buildImages(['postgres', 'memory']);
  fleet = running.use(
    await Production.create({
      mode: 'prod',
      // Nobody is there: one test has a collector, the others do without.
      env: { POSTGRES_REPLICAS: '3', MEMORY_REPLICAS: '3', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' },
      secrets: {
        database_url: `postgres://app_reader:${CANARIES[0]}@postgres:5432/app`,
        postgres_write_url: `postgres://app_writer:${CANARIES[1]}@postgres:5432/app`,
      },
    }),
  );
  const { stdout } = await fleet.mustFleet('up', 'memory', '--mode', 'prod');
  key = stdout.trim();
  await fleet.sql('postgres', `create role app_reader login password '${CANARIES[0]}'`);
  await fleet.sql('postgres', `create role app_writer login password '${CANARIES[1]}'`);
  await fleet.sql('postgres', 'create database app');
  await fleet.sql('app', 'create table ledger (id text)');
  await fleet.sql('app', 'grant select on ledger to app_reader; grant insert on ledger to app_writer');
  const { stderr } = await fleet.mustFleet('up', 'memory', 'postgres');
  expect(stderr).toContain('healthy: memory 3, postgres 3');
  client = running.use(new Client(fleet.origin, key));
}, 600_000);

afterAll(async () => {
  await running.disposeAsync();
}, 120_000);

it('calls with a key are answered over TLS, and calls without are 401', async () => {
  expect((await client.call(insert('first'))).status).toBe(200);
  expect((await client.call(remember('the terrace holds 80'))).status).toBe(200);
  for (const wrong of [undefined, `${key}x`]) {
    await using stranger = new Client(fleet.origin, wrong);
    const { status, json } = await stranger.call(insert('stranger'));
    expect([status, json.executed]).toEqual([401, 'no']);
  }
  expect(await fleet.sql('app', "select count(*) from ledger where id = 'stranger'")).toBe('0');
});

it('three replicas share the load within a quarter', async () => {
  const replicas = await fleet.containers('mcp-postgres');
  expect(replicas).toHaveLength(3);
  const before = await fleet.answered(replicas);
  await using load = new Load(client, { name: 'share', call: (id) => insert(id), everyMs: 20 });
  await load.reach(900);
  tell(await load.stop());
  expect(load.failures).toEqual([]);
  const shares = (await fleet.answered(replicas)).map((count, i) => count - (before[i] ?? 0));
  tell(`shares: ${shares.join(', ')}`);
  expect(shares.reduce((sum, share) => sum + share)).toBe(load.calls);
  for (const share of shares) expect(Math.abs(share - load.calls / 3)).toBeLessThanOrEqual(load.calls / 12);
});

it('fifty calls at once with the same key run once, whichever replica they reach', async () => {
  const call: Call = { ...insert('keyed-1', 0.2), headers: { 'idempotency-key': 'keyed-1' } };
  const answers = await Promise.all(Array.from({ length: 50 }, () => client.call(call)));
  const told = new Set(answers.map(({ status, json }) => (status === 200 ? '200' : `${status} ${json.code}`)));
  expect([...told].filter((it) => it !== '200' && it !== '409 idempotency_in_progress')).toEqual([]);
  expect(told).toContain('200');
  const again = await client.call(call);
  expect([again.status, again.headers['idempotency-replayed']]).toEqual([200, 'true']);
  expect(await written('keyed')).toEqual([1, 1]);
});

it('each call becomes a row of the audit in PostgreSQL', async () => {
  const ids = Array.from({ length: 30 }, (_, i) => `audit-${i}`);
  await Promise.all(ids.map((id) => client.call({ ...insert(id), headers: { 'x-request-id': id } })));
  const rows = () =>
    fleet.sql(
      'audit',
      `select count(*), count(distinct request_id), min(principal), min(tool), min(executed)
         from bridge_audit where request_id like 'audit-%'`,
    );
  await until('all are there', async () => (await rows()).startsWith('30|'), { timeoutMs: 20_000, everyMs: 200 });
  expect(await rows()).toBe('30|30|admin|execute|yes');
});

it('spans of a call arrive at the collector, which nobody misses while it is not there', async () => {
  await using stage = new Stage();
  const collector = await stage.start('collector', {
    image: NODE,
    networks: [{ name: `${fleet.project}_postgres`, aliases: ['collector'] }],
    options: ['--init', `--volume=${ROOT}:${ROOT}:ro`, `--workdir=${ROOT}`],
    command: ['node', '--input-type=module', '--eval', COLLECTOR],
  });
  const traceIds: string[] = [];
  const arrived = async () => {
    const traceId = randomBytes(16).toString('hex');
    traceIds.push(traceId);
    const headers = { traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01` };
    expect((await client.call({ ...insert(`traced-${traceId}`), headers })).status).toBe(200);
    const told = await docker('logs', collector);
    return traceIds.some((id) => told.includes(`${id} SERVER`) && told.includes(`${id} CLIENT`));
  };
  await until('spans of one of the calls', arrived, { timeoutMs: 40_000, everyMs: 500 });
});

it(
  'three to five to three replicas fail no call, and the new ones take theirs (L7)',
  async () => {
    const before = await fleet.containers('mcp-postgres');
    await unharmed('scale', async () => {
      await fleet.mustFleet('scale', 'postgres=5');
      const fresh = (await fleet.containers('mcp-postgres')).filter((name) => !before.includes(name));
      expect(fresh).toHaveLength(2);
      await until('the new ones answer', async () => (await fleet.answered(fresh)).every((count) => count > 0));
      await fleet.mustFleet('scale', 'postgres=3');
      expect(await fleet.containers('mcp-postgres')).toEqual(before);
    });
  },
  EVENT_MS,
);

it(
  'a rolling restart fails no call (L4)',
  async () => {
    const before = await fleet.containers('mcp-postgres');
    await unharmed('restart', () => fleet.mustFleet('restart', 'postgres'));
    const after = await fleet.containers('mcp-postgres');
    expect(after).toHaveLength(3);
    expect(after.filter((name) => before.includes(name))).toEqual([]);
  },
  EVENT_MS,
);

it(
  'a deploy of a new image and the rollback fail no call (L9)',
  async () => {
    const tag = await fleet.image('postgres', 'next', 'LABEL release=next');
    const all = (version: string) => Array.from({ length: 3 }, () => `mcp-bridge-postgres:${version}`);
    await unharmed('deploy', async () => {
      await fleet.mustFleet('deploy', 'postgres', '--tag', tag);
      expect(await images(await fleet.containers('mcp-postgres'))).toEqual(all(tag));
    });
    await unharmed('rollback', async () => {
      await fleet.mustFleet('rollback', 'postgres');
      expect(await images(await fleet.containers('mcp-postgres'))).toEqual(all('test'));
    });
  },
  2 * EVENT_MS,
);

it(
  'an image whose bridge cannot start is taken back, and no call fails',
  async () => {
    const before = await fleet.containers('mcp-postgres');
    const tag = await fleet.image(
      'postgres',
      'broken',
      `USER root
RUN echo 'throw new Error("broken")' > bridges/postgres/server.ts
USER node
HEALTHCHECK --interval=2s --timeout=3s --retries=4 CMD ["fleet", "health"]`,
    );
    await unharmed('broken', async () => {
      const { code, stderr } = await fleet.fleet('deploy', 'postgres', '--tag', tag);
      expect(stderr).toContain('nothing is lost');
      expect(code).toBe(1);
    });
    expect(await fleet.containers('mcp-postgres')).toEqual(before);
  },
  EVENT_MS,
);

it(
  'the front reads its configuration anew five times, and no call fails (L6)',
  async () => {
    const [front = ''] = await fleet.containers('front');
    const startedAt = await docker('inspect', '--format', '{{.State.StartedAt}}', front);
    await unharmed('reload', async (load) => {
      for (let n = 0; n < 5; n++) {
        expect((await fleet.mustFleet('deploy', 'front')).stderr).toContain('configuration reloaded');
        await load.more(200);
      }
    });
    expect(await docker('inspect', '--format', '{{.State.StartedAt}}', front)).toBe(startedAt);
  },
  EVENT_MS,
);

it('Redis answers nobody without the password', async () => {
  const [replica = ''] = await fleet.containers('mcp-memory');
  const script = `
    const socket = require('node:net').connect(6379, 'redis', () => socket.write('PING\\r\\n'));
    socket.once('data', (said) => { console.log(String(said)); socket.end(); });`;
  expect(await docker('exec', replica, 'node', '-e', script)).toContain('-NOAUTH');
});

it('the passwords that were given as files are nowhere else: no argv, no log, no page of the ops port (S6)', async () => {
  const containers = (await Promise.all(SERVICES.map((service) => fleet.containers(service)))).flat();
  expect(containers).toHaveLength(10);
  const arguments_ = 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "';
  for (const container of containers) {
    const seen = {
      inspect: await docker('inspect', container),
      log: await docker('logs', container),
      argv: await docker('exec', container, 'sh', '-c', arguments_),
      ...(/-mcp-/.test(container)
        ? { metrics: await fleet.ops(container, '/metrics'), status: await fleet.ops(container, '/status') }
        : {}),
    };
    for (const [where, text] of Object.entries(seen)) {
      // egress has nothing to say until somebody goes out.
      if (!container.includes('-egress-')) expect(text, `${where} of ${container}`).not.toBe('');
      for (const canary of [...CANARIES, key]) expect(text.includes(canary), `${where} of ${container}`).toBe(false);
    }
  }
  const stats = await docker('stats', '--no-stream', '--format', '{{.Name}} {{.MemUsage}}', ...containers);
  for (const line of stats.split('\n')) tell(line);
});

it(
  'a replica that is killed costs at most its calls in flight: each 502 maybe, none run twice (L5)',
  async () => {
    const lanes = 12;
    const before = await fleet.containers('mcp-postgres');
    await using load = new Load(client, { name: 'killed', lanes, everyMs: 0, call: (id) => insert(id, 0.3) });
    await load.more(3 * lanes);
    await docker('kill', '--signal', 'KILL', before[0] ?? '');
    await load.more(10 * lanes);
    tell(await load.stop());
    for (const failure of load.failures) {
      expect(failure).toMatchObject({ status: 502, code: 'replica_lost', executed: 'maybe' });
    }
    expect(load.failures.length).toBeGreaterThan(0);
    expect(load.failures.length).toBeLessThanOrEqual(lanes);
    const [rows, ids] = await written('killed');
    expect(rows).toBe(ids);
    expect(rows).toBeGreaterThanOrEqual(load.calls - load.failures.length);
    expect(rows).toBeLessThanOrEqual(load.calls);
    const later = await Promise.all(Array.from({ length: 50 }, (_, i) => client.call(insert(`later-${i}`))));
    expect(new Set(later.map(({ status }) => status))).toEqual(new Set([200]));
  },
  EVENT_MS,
);

it(
  'with all replicas of one bridge gone its calls are 503 no_replica, and those of the other fail never (L8)',
  async () => {
    await using load = new Load(client, { name: 'other', call: (id) => insert(id) });
    await docker('kill', '--signal', 'KILL', ...(await fleet.containers('mcp-memory')));
    await until('nobody answers', async () => (await client.call(remember('x'))).status === 503);
    const refused = await Promise.all(Array.from({ length: 30 }, () => client.call(remember('x'))));
    for (const { status, json, headers } of refused) {
      expect([status, headers['content-type'], headers['retry-after']]).toEqual([503, 'application/problem+json', '1']);
      expect(json).toMatchObject({ code: 'no_replica', executed: 'no', retryable: true, bridge: 'memory' });
    }
    await load.reach(500);
    tell(await load.stop());
    expect(load.failures).toEqual([]);
    expect(await written('other')).toEqual([load.calls, load.calls]);
    await fleet.mustFleet('up', 'memory');
    await until('it is back', async () => (await client.call(remember('back'))).status === 200);
  },
  EVENT_MS,
);

it(
  'down leaves the data and nothing else, and with --volumes nothing at all',
  async () => {
    await fleet.mustFleet('down');
    const { volumes, ...rest } = await fleet.left();
    expect(rest).toEqual({ containers: '', networks: '' });
    expect(volumes.split('\n')).toHaveLength(2);
    await fleet.mustFleet('down', '--volumes', '--yes');
    expect(await fleet.left()).toEqual({ containers: '', networks: '', volumes: '' });
  },
  EVENT_MS,
);
