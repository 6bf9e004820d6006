/** The compose files with the real engine: valid in every mode, what wins over what, and what containers can reach. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bridges } from '../../bridges/index.ts';
import { createSecrets, vendorSecretsOf } from '../../core/deploy/create-secrets.ts';
import { freePort } from '../support/free-port.ts';
import { ComposeStack, type Files, MODES } from './support/compose.ts';
import { buildImages } from './support/images.ts';
import { docker } from './support/stage.ts';

const manifests = await Promise.all(Object.values(bridges).map((load) => load()));

/** Tries to connect from inside a container; what came of each address, `open` or why not. */
async function reach(container: string, addresses: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const script = `
    const net = require('node:net');
    const tries = process.argv.slice(1).map((address) => new Promise((resolve) => {
      const [, host, port] = /^(.*):(\\d+)$/.exec(address);
      const socket = net.connect({ host, port: Number(port), timeout: 4000 });
      const end = (what) => { socket.destroy(); resolve([address, what]); };
      socket.on('connect', () => end('open')).on('timeout', () => end('closed')).on('error', () => end('closed'));
    }));
    Promise.all(tries).then((all) => { console.log(JSON.stringify(Object.fromEntries(all))); process.exit(); });`;
  return JSON.parse(await docker('exec', container, 'node', '-e', script, ...addresses));
}

const each = (addresses: readonly string[], what: string) => Object.fromEntries(addresses.map((it) => [it, what]));

describe('docker compose config', () => {
  it.each(Object.entries(MODES) as [string, Files][])('takes the files of %s', async (_, files) => {
    await using stack = new ComposeStack(files);
    const { services } = await stack.config();
    expect(Object.keys(services)).toEqual(
      expect.arrayContaining([...manifests.map(({ name }) => `mcp-${name}`), 'front', 'egress', 'redis', 'postgres']),
    );
  });

  it('takes monitoring over development and the cluster too', async () => {
    for (const files of [MODES.dev, MODES.cluster]) {
      await using stack = new ComposeStack([...files, 'compose.monitoring.yaml']);
      const { services } = await stack.config();
      expect(services['mcp-slack'].environment.OTEL_EXPORTER_OTLP_ENDPOINT).toBe('http://collector:4318');
    }
  });

  it('what the shell says wins over .env, and what neither says is not set', async () => {
    await using written = new ComposeStack(MODES.prod);
    const envFile = join(written.folder, '.env');
    writeFileSync(envFile, 'LOG_LEVEL=warn\nPOOL_MAX=7\nSLACK_REPLICAS=5\nFLEET_TAG=1.2.3\n');
    await using stack = new ComposeStack(MODES.prod, { envFile, env: { LOG_LEVEL: 'debug', FLEET_TAG: '2.0.0' } });
    const { services } = await stack.config();
    const { environment, deploy, image } = services['mcp-slack'];
    expect(environment).toMatchObject({ LOG_LEVEL: 'debug', POOL_MAX: '7' });
    expect([deploy.replicas, image]).toEqual([5, 'mcp-bridge-slack:2.0.0']);
    // Null takes a variable away; an empty text would count as set to some programs.
    expect(environment.POOL_MIN ?? null).toBeNull();
  });
});

describe('development', () => {
  const running = new AsyncDisposableStack();
  let stack: ComposeStack;
  let url = '';

  beforeAll(async () => {
    await buildImages(['all']);
    const HTTP_PORT = String(await freePort());
    stack = running.use(new ComposeStack(MODES.dev, { env: { FLEET_TAG: 'test', HTTP_PORT, LOG_LEVEL: 'debug' } }));
    await stack.compose('up', '--detach', '--wait', '--no-build');
    url = `http://127.0.0.1:${HTTP_PORT}`;
  }, 400_000);

  afterAll(() => running.disposeAsync());

  it.each(manifests)('$name answers its example over the front, without any secret', async ({ name, example }) => {
    const answer = await fetch(`${url}/${name}/mcp/tools/${example?.tool}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(example?.arguments),
    });
    const { isError = false } = (await answer.json()) as { readonly isError?: boolean };
    expect([answer.status, isError]).toEqual([200, false]);
    // These two have a real database in the stack.
    const live = name === 'postgres' || name === 'memory';
    expect(answer.headers.get('x-bridge-mode')).toBe(live ? null : 'sandbox');
  });

  it('a flag wins over the environment, which wins over the image', async () => {
    const container = stack.container('mcp-slack');
    const check = (...args: string[]) => docker('exec', ...args);
    const said = (text: string) => /"port": ?(\d+)/.exec(text)?.[1];
    expect(said(await check(container, 'fleet', 'check', 'slack'))).toBe('3000');
    expect(said(await check('--env', 'PORT=3100', container, 'fleet', 'check', 'slack'))).toBe('3100');
    expect(said(await check('--env', 'PORT=3100', container, 'fleet', 'check', '--port', '3200', 'slack'))).toBe(
      '3200',
    );
    const env = await check(container, 'sh', '-c', 'echo $LOG_LEVEL $DRAIN_DELAY_MS');
    expect(env).toBe('debug 3000');
  });

  it('a bridge reaches its stores, the front and its vendor’s name, and nothing else (I19)', async () => {
    // Really listening on every address of this machine, so that silence is the network's doing.
    const host = createServer((_, response) => response.end()).listen(0, '0.0.0.0');
    await once(host, 'listening');
    try {
      const { port } = host.address() as AddressInfo;
      const slack = stack.container('mcp-slack');
      const open = ['redis:6379', 'postgres:5432', 'front:8080', 'slack.com:443'];
      const memory = await docker(
        'inspect',
        '--format',
        '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}',
        stack.container('mcp-memory'),
      );
      const gateways = await docker(
        'network',
        'inspect',
        '--format',
        '{{range .IPAM.Config}}{{.Gateway}}{{end}}',
        `${stack.project}_slack`,
        `${stack.project}_edge`,
      );
      const own = Object.values(networkInterfaces()).flatMap((all = []) =>
        all.filter(({ family }) => family === 'IPv4'),
      );
      const hosts = [...gateways.split('\n'), ...own.map(({ address }) => address).filter((it) => it !== '127.0.0.1')];
      const closed = [
        'mcp-memory:3000',
        `${memory}:3000`,
        `${memory}:9464`,
        'api.stripe.com:443',
        'www.googleapis.com:443',
        '1.1.1.1:443',
        '1.1.1.1:53',
        '169.254.169.254:80',
        ...hosts.map((address) => `${address}:${port}`),
      ];
      expect(await reach(slack, [...open, ...closed])).toEqual({ ...each(open, 'open'), ...each(closed, 'closed') });
    } finally {
      host.close();
    }
  });
});

describe('production', () => {
  const running = new AsyncDisposableStack();
  let stack: ComposeStack;
  let secrets: string;
  let apiKey: string;
  let url = '';
  const agent = new Agent({ connect: { rejectUnauthorized: false } });

  beforeAll(async () => {
    await buildImages(['memory']);
    const [HTTP_PORT, HTTPS_PORT] = [String(await freePort()), String(await freePort())];
    const folder = running.use(new ComposeStack(MODES.prod)).folder;
    secrets = join(folder, 'secrets');
    const made = await createSecrets({ folder: secrets, vendorSecrets: vendorSecretsOf(manifests) });
    apiKey = made.apiKey ?? '';
    stack = running.use(
      new ComposeStack(MODES.prod, {
        env: { FLEET_TAG: 'test', FLEET_SECRETS: secrets, BIND_ADDRESS: '127.0.0.1', HTTP_PORT, HTTPS_PORT },
      }),
    );
    await stack.compose('up', '--detach', '--wait', 'front', 'egress', 'mcp-memory');
    url = `https://127.0.0.1:${HTTPS_PORT}`;
  }, 400_000);

  afterAll(async () => {
    await agent.close();
    await running.disposeAsync();
  });

  const call = async (key: string | undefined) => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const { statusCode, body } = await request(`${url}/memory/mcp/tools/memory_stats`, {
      method: 'POST',
      headers,
      dispatcher: agent,
    });
    await body.dump();
    return statusCode;
  };

  it('calls are answered over TLS to those who have a key, with the passwords of the secret files', async () => {
    expect(await call(undefined)).toBe(401);
    expect(await call(apiKey)).toBe(200);
    const ops = await docker(
      'exec',
      stack.container('mcp-memory'),
      'node',
      '-e',
      "fetch('http://127.0.0.1:9464/status').then((answer) => answer.text()).then(console.log)",
    );
    expect(JSON.parse(ops)).toMatchObject({ stores: 'redis' });
  });

  it('every container runs as somebody who may do nothing, and writes only where it must (S11)', async () => {
    for (const [service, uid] of [
      ['mcp-memory', '1000'],
      ['front', '101'],
      ['egress', '101'],
      ['redis', '999'],
      ['postgres', '999'],
    ] as const) {
      const script = 'id -u; grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status; touch /here 2>&1 || true';
      const said = await docker('exec', stack.container(service), 'sh', '-c', script);
      expect(
        said.split('\n').map((line) => line.replace(/\s+/g, ' ')),
        service,
      ).toEqual([
        uid,
        'CapEff: 0000000000000000',
        'NoNewPrivs: 1',
        'Seccomp: 2',
        expect.stringContaining('Read-only file system'),
      ]);
    }
  });

  it('no password and no key is seen by docker inspect, in an argv or in an environment (S6)', async () => {
    const values = ['redis_password', 'postgres_password', 'audit_database_password', 'memory_database_password'].map(
      (name) => readFileSync(join(secrets, name), 'utf8').trim(),
    );
    for (const service of ['mcp-memory', 'front', 'redis', 'postgres']) {
      const container = stack.container(service);
      const processes = 'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n"';
      const seen = [
        await docker('inspect', container),
        await docker('logs', container),
        // The child of a bridge is given its own address; the bridge itself, and everybody else, has a path.
        ...(service === 'mcp-memory' ? [] : [await docker('exec', container, 'sh', '-c', processes)]),
      ];
      for (const value of [...values, apiKey])
        for (const text of seen) expect(text.includes(value), service).toBe(false);
    }
  });

  it('only the front publishes ports, and its ops addresses are not among what it serves (S10)', async () => {
    const ports = await stack.compose('ps', '--format', '{{.Service}} {{range .Publishers}}{{.PublishedPort}},{{end}}');
    const published = ports.split('\n').filter((line) => /[1-9]\d*,/.test(line.split(' ')[1] ?? ''));
    expect(published.map((line) => line.split(' ')[0])).toEqual(['front']);
    for (const path of ['/metrics', '/status', '/readyz', '/memory/metrics']) {
      const { statusCode, body } = await request(url + path, {
        headers: { authorization: `Bearer ${apiKey}` },
        dispatcher: agent,
      });
      await body.dump();
      expect([path, statusCode]).toEqual([path, 404]);
    }
  });

  it('the database of the memory is closed to the audit, and nobody comes in without a password', async () => {
    const psql = (address: string) =>
      docker('exec', stack.container('postgres'), 'psql', '--no-password', '-Atc', 'select 1', address).then(
        (text) => text,
        ({ stderr }: { readonly stderr: string }) => stderr,
      );
    expect(await psql('postgres://audit@127.0.0.1/audit')).toContain('password');
    expect(await psql('postgres://postgres@127.0.0.1/postgres')).toContain('password');
    const script = 'PGPASSWORD=$(cat /run/secrets/audit_database_password) psql -h 127.0.0.1 -U audit -Atc "select 1"';
    const within = (database: string) =>
      docker('exec', stack.container('postgres'), 'sh', '-c', `${script} ${database} 2>&1 || true`);
    expect(await within('audit')).toBe('1');
    expect(await within('memory')).toContain('permission denied');
  });
});
