/**
 * The files of compose/ against the bridges and against what they promise, without an engine. A new bridge needs no line
 * here: what it lacks is told by name.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { bridges } from '../../bridges/index.ts';
import { POOL_SETTINGS } from '../../core/config/pool-settings.ts';
import { vendorSecretsOf } from '../../core/deploy/create-secrets.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const COMPOSE = join(ROOT, 'compose');
const FILES = ['compose.yaml', 'compose.dev.yaml', 'compose.prod.yaml', 'compose.cluster.yaml'] as const;
const read = (...path: string[]): string => readFileSync(join(COMPOSE, ...path), 'utf8');

/** What these tests look at; the rest is the engine's to check. */
interface Service {
  readonly image: string;
  readonly build?: unknown;
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string | null>>;
  readonly ports?: readonly (string | { readonly mode: string })[];
  readonly networks: readonly string[] | Readonly<Record<string, { readonly aliases?: readonly string[] }>>;
  readonly secrets?: readonly string[];
  readonly stop_grace_period: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: object;
  readonly deploy: {
    readonly replicas?: string;
    readonly mode?: string;
    readonly endpoint_mode?: string;
    readonly update_config?: Readonly<Record<string, unknown>>;
    readonly rollback_config?: Readonly<Record<string, unknown>>;
    readonly resources: { readonly limits: Readonly<Record<string, unknown>>; readonly reservations?: object };
  };
}

interface Stack {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly secrets?: Readonly<Record<string, { readonly file: string }>>;
  readonly configs?: Readonly<Record<string, { readonly file: string }>>;
}

type Tree = Readonly<Record<string, unknown>>;
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

/** As compose lays one file over another, as far as it matters here: trees are merged, lists and values replaced. */
function over(base: Tree, top: Tree): Tree {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(top)) {
    const under = merged[key];
    merged[key] = isTree(under) && isTree(value) ? over(under, value) : value;
  }
  return merged;
}

const load = (file: string): Tree => parse(read(file), { merge: true }) as Tree;
const stackOf = (...files: string[]): Stack => files.map(load).reduce(over) as unknown as Stack;

const base = stackOf('compose.yaml');
const dev = stackOf('compose.yaml', 'compose.dev.yaml');
const prod = stackOf('compose.yaml', 'compose.prod.yaml');
const cluster = stackOf('compose.yaml', 'compose.prod.yaml', 'compose.cluster.yaml');
const monitoring = stackOf('compose.monitoring.yaml');
const monitored = stackOf('compose.yaml', 'compose.prod.yaml', 'compose.monitoring.yaml');
const swarm = stackOf('stack.swarm.yaml');

const names = Object.keys(bridges);
const manifests = await Promise.all(
  Object.values(bridges).map(async (loadManifest) => {
    const manifest = await loadManifest();
    return [manifest.name, manifest] as const;
  }),
);
const ours = names.map((name) => `mcp-${name}`);

function serviceOf(stack: Stack, name: string): Service {
  const service = stack.services[name];
  if (service === undefined) throw new Error(`there is no service ${name}`);
  return service;
}

function networksOf({ networks }: Service): readonly string[] {
  return Array.isArray(networks) ? (networks as readonly string[]) : Object.keys(networks);
}

const seconds = (text: string): number => Number(/^(\d+)s$/.exec(text)?.[1]);

describe.each(manifests)('%s', (name, { environment }) => {
  const variable = `${name.toUpperCase().replaceAll('-', '_')}_REPLICAS`;

  it('has a service, an image by tag and a network in every file that needs one', () => {
    for (const file of [...FILES, 'compose.monitoring.yaml', 'stack.swarm.yaml']) {
      expect(Object.keys(stackOf(file).services), file).toContain(`mcp-${name}`);
    }
    for (const stack of [base, swarm]) {
      const { image } = serviceOf(stack, `mcp-${name}`);
      expect(image).toBe(`\${FLEET_REGISTRY:-}mcp-bridge-${name}:\${FLEET_TAG:-local}`);
      expect(stack.networks[name], 'a network').toMatchObject({ internal: true });
    }
    expect(serviceOf(dev, `mcp-${name}`).command).toEqual(['dev', name]);
  });

  it('has as many replicas as its variable says: 2 in production, 3 in a cluster or swarm', () => {
    expect(serviceOf(prod, `mcp-${name}`).deploy.replicas).toBe(`\${${variable}:-2}`);
    expect(serviceOf(cluster, `mcp-${name}`).deploy.replicas).toBe(`\${${variable}:-3}`);
    expect(serviceOf(swarm, `mcp-${name}`).deploy.replicas).toBe(`\${${variable}:-3}`);
    expect(read('.env.example')).toMatch(new RegExp(`^#${variable}=`, 'm'));
  });

  it('gets every variable of its manifest: secrets as files in production, the others from shell or .env', () => {
    for (const stack of [prod, swarm]) {
      const service = serviceOf(stack, `mcp-${name}`);
      const said = service.environment;
      for (const { name: wanted, secret } of environment) {
        const file = wanted.toLowerCase();
        if (secret) expect(said, wanted).toMatchObject({ [`${wanted}_FILE`]: `/run/secrets/${file}` });
        // Null: passed on where it is set, and left to the image where it is not.
        else expect(said, wanted).toMatchObject({ [wanted]: null });
        if (secret) expect(service.secrets).toContain(file);
        if (secret) expect(said).not.toHaveProperty(wanted);
      }
    }
    for (const { name: wanted } of environment) {
      expect(serviceOf(dev, `mcp-${name}`).environment).toHaveProperty(wanted);
    }
  });

  it('mounts no secret that is not its own or its stores’', () => {
    const own = environment.filter(({ secret }) => secret).map((it) => it.name.toLowerCase());
    const known = ['redis_url', 'audit_database_url', ...own];
    expect(new Set(serviceOf(prod, `mcp-${name}`).secrets)).toEqual(new Set(known));
    expect(new Set(serviceOf(swarm, `mcp-${name}`).secrets)).toEqual(new Set(['api_keys', ...known]));
  });

  it('is spoken of in .env.example with each of its variables, once and without a value', () => {
    const lines = read('.env.example').split('\n');
    expect(lines.filter((line) => line.startsWith(`# --- ${name}: `))).toHaveLength(1);
    for (const { name: wanted, secret } of environment) {
      const line = secret ? `#   ${wanted}: secrets/${wanted.toLowerCase()}` : `#${wanted}=`;
      expect(lines, wanted).toContain(line);
    }
  });

  it('has a network that no other bridge is on, and leaves it nowhere (I19)', () => {
    for (const stack of [dev, prod, monitored, swarm]) {
      expect(networksOf(serviceOf(stack, `mcp-${name}`))).toEqual([name]);
      const others = ours.filter((other) => other !== `mcp-${name}`);
      for (const other of others) expect(networksOf(serviceOf(stack, other))).not.toContain(name);
    }
  });
});

describe.each([
  ['development', dev],
  ['production', prod],
  ['the cluster', cluster],
  ['production with monitoring', monitored],
])('every service of %s', (_, stack) => {
  it.each(Object.keys(stack.services))('%s may do nothing it needs not', (name) => {
    expect(serviceOf(stack, name)).toMatchObject({
      init: true,
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      ulimits: { core: 0, nofile: expect.any(Number) },
      logging: { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '5' } },
      deploy: { resources: { limits: { pids: expect.any(Number) } } },
    });
    expect(serviceOf(stack, name)).not.toHaveProperty('privileged');
    expect(serviceOf(stack, name)).not.toHaveProperty('network_mode');
  });
});

it('every service of production comes back by itself, within limits', () => {
  for (const [name, service] of Object.entries(monitored.services)) {
    expect(service, name).toMatchObject({ restart: 'unless-stopped' });
    expect(service.deploy.resources.limits, name).toMatchObject({
      cpus: expect.any(String),
      memory: expect.any(String),
    });
  }
});

it('every service of swarm may do nothing it needs not, within limits', () => {
  for (const [name, service] of Object.entries(swarm.services)) {
    expect(service, name).toMatchObject({ init: true, read_only: true, cap_drop: ['ALL'] });
    expect(Object.keys(service.deploy.resources.limits), name).toEqual(['cpus', 'memory', 'pids']);
  }
});

it('only the front publishes ports; Grafana does to this machine alone', () => {
  for (const stack of [dev, prod, cluster, swarm]) {
    const publishing = Object.entries(stack.services).filter(([, { ports }]) => ports !== undefined);
    expect(publishing.map(([name]) => name)).toEqual(['front']);
  }
  for (const port of serviceOf(dev, 'front').ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
  for (const port of serviceOf(swarm, 'front').ports ?? []) expect(port).toMatchObject({ mode: 'host' });
  for (const [name, { ports = [] }] of Object.entries(monitoring.services)) {
    expect(ports, name).toEqual(name === 'grafana' ? [expect.stringMatching(/^127\.0\.0\.1:/)] : []);
  }
});

it('a way out have the front, egress, and who shows and tells alerts; nobody else (I19)', () => {
  for (const [stack, open] of [
    [prod, ['egress', 'front']],
    [monitored, ['alertmanager', 'egress', 'front', 'grafana']],
    [swarm, ['egress', 'front']],
  ] as const) {
    const out = Object.entries(stack.services).filter(([, service]) =>
      networksOf(service).some((network) => stack.networks[network]?.internal !== true),
    );
    expect(out.map(([name]) => name).sort()).toEqual(open);
  }
});

it('the networks of bridges leave the host no address either', () => {
  for (const name of names) {
    const options = { driver_opts: { 'com.docker.network.bridge.inhibit_ipv4': 'true' } };
    expect(base.networks[name], name).toMatchObject(options);
  }
});

it('egress bears on each network the names that it passes on for that bridge, and no other', () => {
  const passed = new Map<string, string[]>();
  const allowed = readFileSync(join(ROOT, 'nginx/egress.conf'), 'utf8');
  for (const [, bridge = '', host = ''] of allowed.matchAll(/^ *([a-z0-9-]+):([a-z0-9.-]+) +\2:443;/gm)) {
    passed.set(bridge, [...(passed.get(bridge) ?? [`egress-${bridge}`]), host]);
  }
  expect(passed.size).toBeGreaterThan(0);
  for (const stack of [prod, swarm]) {
    const { networks } = serviceOf(stack, 'egress');
    const borne = Object.entries(networks as Record<string, { aliases?: readonly string[] }>)
      .filter(([network]) => network !== 'outside')
      .map(([network, { aliases = [] }]) => [network, [...aliases].sort()]);
    expect(Object.fromEntries(borne)).toEqual(
      Object.fromEntries([...passed].map(([bridge, hosts]) => [bridge, hosts.sort()])),
    );
  }
});

it('a process is given longer to end than it takes for its calls and its workers', () => {
  const image = readFileSync(join(ROOT, 'Dockerfile.bridge'), 'utf8');
  const delayMs = Number(/DRAIN_DELAY_MS=(\d+)/.exec(image)?.[1]);
  const delayS = delayMs / 1000;
  const drainS = 30;
  const workersS = 8;
  for (const stack of [dev, prod, swarm]) {
    for (const name of ours) {
      const said = serviceOf(stack, name).environment.DRAIN_DELAY_MS;
      expect(said, 'as the image').toBe(`\${DRAIN_DELAY_MS:-${delayMs}}`);
      const graceS = seconds(serviceOf(stack, name).stop_grace_period);
      expect(graceS, name).toBeGreaterThan(delayS + drainS + workersS);
    }
    // The longest call may hang on the front.
    expect(seconds(serviceOf(stack, 'front').stop_grace_period)).toBeGreaterThan(120);
  }
});

it('bridges wait for healthy stores, whose health is looked at', () => {
  for (const name of ours) {
    expect(serviceOf(prod, name).depends_on).toEqual({
      redis: { condition: 'service_healthy' },
      postgres: { condition: 'service_healthy' },
    });
  }
  for (const name of ['front', 'egress', 'redis', 'postgres']) {
    for (const stack of [dev, prod, swarm]) expect(serviceOf(stack, name).healthcheck, name).toBeDefined();
  }
  expect(readFileSync(join(ROOT, 'Dockerfile.bridge'), 'utf8'), 'the bridges’ own').toMatch(/^HEALTHCHECK /m);
});

it('every image is chosen by a variable', () => {
  for (const [name, { image }] of Object.entries({ ...monitored.services, ...swarm.services })) {
    expect(image, name).toMatch(/^\$\{[A-Z_]+:-[^}]*\}/);
  }
});

it('secrets are files of the folder that createSecrets fills, and none is left over', () => {
  const vendor = vendorSecretsOf(manifests.map(([, manifest]) => manifest)).map((name) => name.toLowerCase());
  for (const stack of [monitored, swarm]) {
    const files = Object.entries(stack.secrets ?? {}).map(([name, { file }]) => [name, file] as const);
    for (const [name, file] of files) {
      const path = { api_keys: 'keys/api_keys', front_tls_cert: 'tls/cert.pem', front_tls_key: 'tls/key.pem' }[name];
      // biome-ignore lint/suspicious/noTemplateCurlyInString: compose puts the folder in.
      expect(file).toBe('${FLEET_SECRETS:-./secrets}/'.concat(path ?? name));
    }
    const defined = files.map(([name]) => name);
    expect(defined).toEqual(expect.arrayContaining([...vendor]));
    const used = Object.values(stack.services).flatMap(({ secrets = [] }) => secrets);
    expect(new Set(defined)).toEqual(new Set(used));
  }
});

it('no file holds what looks like a secret, and the folder of secrets is left to git alone', () => {
  const texts = readdirSync(COMPOSE, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile() && !/\/(secrets|\.fleet)$/.test(entry.parentPath) && entry.name !== '.env')
    .filter((entry) => !entry.parentPath.includes('/secrets/'))
    .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name), 'utf8')] as const);
  expect(texts.length).toBeGreaterThan(8);
  for (const [name, text] of texts) {
    expect(text, name).not.toMatch(
      /xox[bp]-\w|sk_(live|test)_\w{5}|rk_(live|test)_\w{5}|mbf_\w{5}|BEGIN [A-Z ]*PRIVATE/,
    );
    expect(text, `${name}: a password in an address`).not.toMatch(/\w+:\/\/[^\s/@:]*:(?!password@)[^\s/@]+@/);
    expect(text, `${name}: a password as a value`).not.toMatch(
      /(PASSWORD|SECRET|TOKEN)["']?[:=] *["']?(?!secrets\/)[A-Za-z0-9]{6}/,
    );
  }
  expect(read('secrets/.gitignore').split('\n')).toEqual(expect.arrayContaining(['*', '!.gitignore']));
});

it('nothing that the image sets is passed on without a value, which would take it away', () => {
  const image = readFileSync(join(ROOT, 'Dockerfile.bridge'), 'utf8').replaceAll('\\\n', ' ');
  const set = [...image.matchAll(/^ENV (.*)$/gm)].flatMap(([, line = '']) =>
    [...line.matchAll(/([A-Z_]+)=/g)].map(([, name = '']) => name),
  );
  expect(set).toEqual(expect.arrayContaining(['HOST', 'PORT', 'OPS_PORT', 'DRAIN_DELAY_MS']));
  for (const stack of [dev, monitored, swarm]) {
    for (const name of ours) {
      const { environment } = serviceOf(stack, name);
      expect(set.filter((variable) => environment[variable] === null)).toEqual([]);
    }
  }
});

it('every setting of a process can be given, and stands in .env.example', () => {
  const settings = Object.values(POOL_SETTINGS).map(({ variable }): string => variable);
  const process = ['LOG_LEVEL', 'RATE_PER_MINUTE', 'MAX_BODY_BYTES', 'DRAIN_MS', 'ALLOWED_HOSTS'];
  for (const name of [...settings, ...process, 'ALLOWED_ORIGINS']) {
    for (const stack of [base, swarm])
      expect(serviceOf(stack, 'mcp-slack').environment).toMatchObject({ [name]: null });
  }
  for (const file of [...FILES, 'compose.monitoring.yaml', 'stack.swarm.yaml']) {
    for (const [, variable = ''] of read(file).matchAll(/\$\{([A-Z_]+)/g)) {
      if (/_URL$/.test(variable)) continue; // a secret of development, which has its file in production
      expect(read('.env.example'), `${variable} of ${file}`).toMatch(new RegExp(`^#${variable}=`, 'm'));
    }
  }
});

describe('swarm', () => {
  it.each(ours)('%s is found by the names of its tasks and replaced start-first, with a way back', (name) => {
    const rolling = { parallelism: 1, order: 'start-first', max_failure_ratio: 0 };
    expect(serviceOf(swarm, name).deploy).toMatchObject({
      endpoint_mode: 'dnsrr',
      update_config: { ...rolling, failure_action: 'rollback' },
      rollback_config: rolling,
    });
  });

  it('never has two of what holds data, nor two fronts on one port', () => {
    for (const name of ['redis', 'postgres']) {
      expect(serviceOf(swarm, name).deploy).toMatchObject({ replicas: 1, update_config: { order: 'stop-first' } });
    }
    expect(serviceOf(swarm, 'front').deploy).toMatchObject({ mode: 'global', update_config: { order: 'stop-first' } });
  });

  it('gives the front every file of nginx/', () => {
    const files = readdirSync(join(ROOT, 'nginx')).filter((name) => /\.(conf|sh)$/.test(name));
    const configs = Object.entries(swarm.configs ?? {}).map(([name, { file }]) => [name, file]);
    expect(Object.fromEntries(configs)).toMatchObject(
      Object.fromEntries(files.map((name) => [name, `../nginx/${name}`])),
    );
    const front = serviceOf(swarm, 'front') as unknown as { readonly configs: readonly object[] };
    expect(front.configs).toEqual(files.map((name) => ({ source: name, target: `/etc/front/${name}` })));
  });

  it('sets what a stack cannot say nowhere', () => {
    for (const word of ['security_opt', 'depends_on', 'container_name', 'pids_limit', 'shm_size']) {
      for (const [name, service] of Object.entries(swarm.services)) expect(service, name).not.toHaveProperty(word);
    }
  });
});
