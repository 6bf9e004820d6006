/** Acceptance row I19: what a bridge, and whatever runs in its place, can reach from its network. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { NGINX, NGINX_OPTIONS } from './support/front.ts';
import { docker, ROOT, Stage } from './support/stage.ts';

const NODE = process.env.NODE_IMAGE ?? 'node:24-bookworm-slim';
const VENDOR = `
  const tls = require('node:tls'), fs = require('node:fs');
  const [key, cert] = ['key.pem', 'cert.pem'].map((file) => fs.readFileSync('/certs/' + file));
  tls.createServer({ key, cert }, (socket) => socket.end('vendor ' + socket.servername)).listen(443, '0.0.0.0');`;
/** Prints what a TLS connection to a host brings, or the error's code; like an SDK it trusts the vendor's certificate only. */
const CLIENT = `
  const tls = require('node:tls'), fs = require('node:fs');
  const [host, servername] = process.argv.slice(1);
  const ca = fs.readFileSync('/certs/cert.pem');
  const socket = tls.connect({ host, port: 443, servername: servername || undefined, ca, timeout: 3000 });
  let text = '';
  socket.on('data', (data) => (text += data));
  socket.on('timeout', () => socket.destroy(Object.assign(new Error(), { code: 'TIMEOUT' })));
  socket.on('error', (error) => { console.log(error.code); process.exit(); });
  socket.on('close', () => { console.log(text); process.exit(); });`;

const stage = new Stage();
let slack = '';
let outside = '';
let bridge = '';
let egress = '';
let vendor = '';

beforeAll(async () => {
  const certs = ['-keyout', join(stage.folder, 'key.pem'), '-out', join(stage.folder, 'cert.pem')];
  const names = 'subjectAltName=DNS:slack.com,DNS:api.stripe.com';
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  execFileSync('openssl', ['req', '-x509', ...kind, '-subj', '/CN=vendor', '-addext', names, ...certs], {
    stdio: 'ignore',
  });
  const mount = `--volume=${stage.folder}:/certs:ro`;
  [slack, outside] = await Promise.all([stage.network('slack'), stage.network('outside', { internal: false })]);
  const stripe = await stage.network('stripe');
  vendor = await stage.start('vendor', {
    image: NODE,
    networks: [{ name: outside }],
    options: ['--init', mount],
    command: ['node', '-e', VENDOR],
  });
  const resolver = await stage.start('names', {
    image: NODE,
    networks: [{ name: outside }],
    options: ['--init', `--volume=${join(ROOT, 'test/fixtures')}:/fixtures:ro`],
    command: ['node', '/fixtures/name-server.mjs', await stage.address(vendor, outside)],
  });
  egress = await stage.start('egress', {
    image: NGINX,
    networks: [
      { name: outside },
      { name: slack, aliases: ['egress-slack', 'slack.com', 'api.stripe.com'] },
      { name: stripe, aliases: ['egress-stripe', 'api.stripe.com'] },
    ],
    env: { EGRESS_RESOLVER: await stage.address(resolver, outside) },
    options: NGINX_OPTIONS,
    command: ['/bin/sh', '/etc/front/egress.sh'],
  });
  bridge = await stage.start('bridge', {
    image: NODE,
    networks: [{ name: slack, aliases: ['mcp-slack'] }],
    options: ['--init', mount],
    command: ['sleep', '900'],
  });
  await stage.start('other', {
    image: NODE,
    networks: [{ name: stripe, aliases: ['mcp-stripe'] }],
    options: ['--init'],
    command: ['node', '-e', "require('node:http').createServer((_, answer) => answer.end()).listen(3000, '0.0.0.0')"],
  });
  await until(
    'egress listens',
    () =>
      docker('exec', egress, '/bin/sh', '/etc/front/egress.sh', 'health').then(
        () => true,
        () => false,
      ),
    {
      timeoutMs: 20_000,
      everyMs: 100,
    },
  );
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
});

/** From the network of the bridge: the host connected to, the name asked for. */
const reach = (host: string, name = host) => docker('exec', bridge, 'node', '-e', CLIENT, host, name);

async function lines(name: string) {
  const all = (await docker('logs', egress)).split('\n').map((line) => JSON.parse(line));
  return all.filter((line) => line.msg === 'connection' && line.name === name);
}

it("a bridge reaches its vendor by the vendor's own name, with TLS from end to end (I19)", async () => {
  expect(await reach('slack.com')).toBe('vendor slack.com');
  const [line] = await until('it is logged', async () =>
    (await lines('slack.com')).length > 0 ? lines('slack.com') : undefined,
  );
  expect(line).toMatchObject({ bridge: 'slack', result: 'passed', status: 200 });
  expect(line.bytesIn).toBeGreaterThan(100);
});

it('a name that leads to a private address is told in the log', async () => {
  // As it does here: the vendor is a container.
  expect((await lines('slack.com'))[0]).toMatchObject({
    leadsInside: true,
    upstream: `${await stage.address(vendor, outside)}:443`,
  });
});

it.each([
  ['the vendor of another bridge', 'api.stripe.com', 'api.stripe.com'],
  ['a name on no list', 'slack.com', 'evil.example'],
  ['a longer name', 'slack.com', 'files.slack.com'],
  ['no name at all', 'slack.com', ''],
  ['a name that is an address', 'slack.com', '169.254.169.254'],
])('%s is closed at once and logged (I19)', async (_, host, name) => {
  const before = (await lines(/^[a-z]/.test(name) ? name : '')).length;
  expect(await reach(host, name)).toMatch(/^(ECONNRESET|EPIPE)?$/);
  if (name === '' || name === '169.254.169.254') return;
  const after = await until('it is logged', async () =>
    (await lines(name)).length > before ? lines(name) : undefined,
  );
  expect(after.at(-1)).toMatchObject({ bridge: 'slack', result: 'refused', upstream: '', bytesIn: 0 });
});

it('without TLS nothing is passed on', async () => {
  const script =
    "require('node:http').get('http://slack.com:443/', (a) => console.log(a.statusCode)).on('error', (e) => console.log(e.code))";
  expect(await docker('exec', bridge, 'node', '-e', script)).toMatch(/^E/);
});

it.each([
  ['the metadata service', '169.254.169.254', 80],
  ['an address of the Internet', '1.1.1.1', 443],
  ['a resolver of the Internet', '8.8.8.8', 53],
])('%s cannot be reached from the network of a bridge (I19)', async (_, host, port) => {
  expect(await connectFrom(host, port)).toMatch(/^(ENETUNREACH|EHOSTUNREACH|TIMEOUT)$/);
});

it('neither another bridge nor the network outside can be reached, by name or by address (I19)', async () => {
  // Engines differ: some say that there is no such name, some say nothing.
  expect(await connectFrom('mcp-stripe', 3000)).toMatch(/^(ENOTFOUND|EAI_AGAIN|TIMEOUT)$/);
  expect(await connectFrom(await stage.address(vendor, outside), 443)).toMatch(/^(ENETUNREACH|EHOSTUNREACH|TIMEOUT)$/);
  // The check looks where it should: this one is there.
  expect(await connectFrom('slack.com', 443)).toBe('connected');
});

function connectFrom(host: string, port: number): Promise<string> {
  const script = `
    const socket = require('node:net').connect({ host: '${host}', port: ${port} }, () => { console.log('connected'); process.exit(); });
    socket.on('error', (error) => { console.log(error.code); process.exit(); });
    setTimeout(() => { console.log('TIMEOUT'); process.exit(); }, 3000);`;
  return docker('exec', bridge, 'node', '-e', script);
}

it.each(['', '127.0.0.11', '1.1.1.1; allow all'])(
  "EGRESS_RESOLVER %j ends it with one clear line: Docker's own would lead back to itself",
  async (value) => {
    const container = await stage.start(`resolver-${value.length}`, {
      image: NGINX,
      env: { EGRESS_RESOLVER: value },
      options: NGINX_OPTIONS,
      command: ['/bin/sh', '/etc/front/egress.sh'],
    });
    expect(await docker('wait', container)).toBe('78');
    expect(JSON.parse(await docker('logs', container))).toMatchObject({ level: 'fatal', service: 'egress' });
  },
);
