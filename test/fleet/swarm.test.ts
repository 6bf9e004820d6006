/** The stack in a swarm of one node, by the project's own commands: replaced start first under load, and back by itself. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { buildImages } from './support/images.ts';
import { Client, Load } from './support/load.ts';
import { Production, tell } from './support/production.ts';
import { docker } from './support/stage.ts';

const EVENT_MS = 400_000;
const MIN_CALLS = 5_000;
const REPLICAS = 3;
const OTHERS = ['CALENDAR', 'GDRIVE', 'POSTGRES', 'SLACK', 'STRIPE', 'TWILIO'];

const running = new AsyncDisposableStack();
let fleet: Production;
let client: Client;

/** Calls all the while, and on to their least number; every one has to be answered, and to have run once. */
async function unharmed(name: string, work: () => Promise<unknown>): Promise<void> {
  const call = (text: string) => ({ path: '/memory/mcp/tools/memory_remember', body: { text } });
  await using load = new Load(client, { name, call });
  await load.more(100);
  await work();
  await load.reach(MIN_CALLS);
  tell(await load.stop());
  expect(load.failures).toEqual([]);
  const written = await fleet.sql(
    'memory',
    `select count(*), count(distinct text) from memory_bridge.entries where text like '${name}-%'`,
  );
  expect(written).toBe(`${load.calls}|${load.calls}`);
  // Each call counts what the caller has: thousands of rows would be what the next load waits for.
  await fleet.sql('memory', 'delete from memory_bridge.entries');
}

/** The images of the replicas that run, each once. */
async function images(): Promise<readonly string[]> {
  const containers = await fleet.containers('mcp-memory');
  return [
    ...new Set(await Promise.all(containers.map((it) => docker('inspect', '--format', '{{.Config.Image}}', it)))),
  ];
}

beforeAll(async () => {
  const state = await docker('info', '--format', '{{.Swarm.LocalNodeState}}');
  if (state !== 'inactive') throw new Error(`the engine is in a swarm already (${state}), which is not ours to leave`);
  tell('building images');
  await buildImages(['memory']);
  const replicas = Object.fromEntries(OTHERS.map((bridge) => [`${bridge}_REPLICAS`, '0']));
  fleet = running.use(
    await Production.create({
      mode: 'swarm',
      env: { ...replicas, MEMORY_REPLICAS: String(REPLICAS), MEMORY_MAX_ENTRIES: '100000' },
    }),
  );
  const bridges = await docker('network', 'ls', '--quiet', '--filter', 'name=docker_gwbridge');
  running.defer(async () => {
    // Takes its tasks' containers along, and what was left of the stack.
    await docker('swarm', 'leave', '--force');
    if (bridges === '') await docker('network', 'rm', 'docker_gwbridge');
  });
  await docker('swarm', 'init', '--advertise-addr', '127.0.0.1', '--listen-addr', '127.0.0.1');
  const node = await docker('node', 'ls', '--quiet');
  await docker('node', 'update', '--label-add', 'fleet-stores=true', '--label-add', 'fleet-front=true', node);
  const { stdout } = await fleet.mustFleet('up', '--mode', 'swarm');
  client = running.use(new Client(fleet.origin, stdout.trim()));
  const call = { path: '/memory/mcp/tools/memory_stats', body: {} };
  await until('it answers', async () => (await client.call(call)).status === 200, { timeoutMs: 60_000, everyMs: 500 });
}, 600_000);

afterAll(async () => {
  await running.disposeAsync();
}, 180_000);

it(
  'an update is start first: never fewer replicas than before, and no call fails (L4)',
  async () => {
    const tag = await fleet.image('memory', 'next', 'LABEL release=next');
    await unharmed('update', () => fleet.mustFleet('deploy', 'memory', '--tag', tag));
    expect(await images()).toEqual([`mcp-bridge-memory:${tag}`]);
    expect(await fleet.containers('mcp-memory')).toHaveLength(REPLICAS);
  },
  EVENT_MS,
);

it(
  'an update whose replicas never become healthy goes back by itself, and no call fails (L9)',
  async () => {
    const [before] = await images();
    const sick = 'HEALTHCHECK --interval=1s --timeout=1s --retries=1 CMD ["false"]';
    const tag = await fleet.image('memory', 'sick', sick);
    await unharmed('sick', async () => {
      const { code, stderr } = await fleet.fleet('deploy', 'memory', '--tag', tag);
      expect(stderr).toContain('the swarm went back');
      expect(code).toBe(1);
    });
    expect(await images()).toEqual([before]);
    expect(await fleet.containers('mcp-memory')).toHaveLength(REPLICAS);
  },
  EVENT_MS,
);

it(
  'a rollback brings the image of before back, and no call fails (L9)',
  async () => {
    await unharmed('back', () => fleet.mustFleet('rollback', 'memory'));
    expect(await images()).toEqual(['mcp-bridge-memory:test']);
  },
  EVENT_MS,
);

it(
  'down leaves nothing but the data, and does not say that it could throw that away',
  async () => {
    const withVolumes = await fleet.fleet('down', '--volumes', '--yes');
    expect([withVolumes.code, withVolumes.stderr]).toEqual([64, expect.stringContaining('docker volume rm')]);
    await fleet.mustFleet('down');
    // The swarm takes away by itself what its tasks leave, one after the other.
    const gone = async () => {
      const { containers, networks } = await fleet.left();
      return containers === '' && networks === '';
    };
    await until('all is gone', gone, { timeoutMs: 300_000, everyMs: 500 }).catch(async (error) => {
      throw new Error(`${error.message}: ${JSON.stringify(await fleet.left())}`, { cause: error });
    });
    const { volumes } = await fleet.left();
    expect(volumes.split('\n')).toHaveLength(2);
    expect(await docker('service', 'ls', '--quiet')).toBe('');
  },
  EVENT_MS,
);
