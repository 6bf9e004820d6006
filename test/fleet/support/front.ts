import { mkdirSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { Agent, type Dispatcher } from 'undici';
import { Ledger } from '../../support/ledger.ts';
import { until } from '../../support/until.ts';
import { docker, ROOT, Stage } from './stage.ts';

/** The image of the front. */
export const NGINX = process.env.NGINX_IMAGE ?? 'nginx:1.30';
const NODE = process.env.NODE_IMAGE ?? 'node:24-bookworm-slim';

/** As the compose files run it: another user, nothing to write to but /tmp, no rights. */
export const NGINX_OPTIONS: readonly string[] = [
  '--user=101:101',
  '--read-only',
  '--tmpfs=/tmp:uid=101,gid=101,mode=0700,size=32m,noexec,nosuid,nodev',
  '--cap-drop=ALL',
  '--security-opt=no-new-privileges',
  `--volume=${join(ROOT, 'nginx')}:/etc/front:ro`,
];

/** A line of the access log. */
export interface AccessLine {
  readonly msg: string;
  readonly requestId: string;
  readonly traceId: string;
  readonly bridge: string;
  readonly path: string;
  readonly status: number;
  readonly seconds: number;
  readonly upstream: string;
  readonly [member: string]: unknown;
}

/** What came back through the front. */
export interface FrontAnswer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  // biome-ignore lint/suspicious/noExplicitAny: tests look into arbitrary answers
  readonly json: any;
  readonly text: string;
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly body?: string;
}

export interface FrontOptions {
  /** Bridge processes behind it; default 1. */
  readonly replicas?: number;
  /** Settings of the front. */
  readonly env?: Readonly<Record<string, string>>;
  /** Settings of the bridge processes. */
  readonly replicaEnv?: Readonly<Record<string, string>>;
}

/** The front in its container before replicas of a bridge `slack` that runs the fake child. */
export class Front implements AsyncDisposable {
  readonly stage = new Stage();
  readonly ledger: Ledger = new Ledger();
  readonly replicas: string[] = [];
  container = '';
  httpsPort = 0;
  httpPort = 0;
  network = '';
  #agent = new Agent({ allowH2: false, connect: { rejectUnauthorized: false }, connections: 64, pipelining: 1 });
  #started = 0;
  #replicaEnv: Readonly<Record<string, string>> = {};

  static async start({ replicas = 1, env = {}, replicaEnv = {} }: FrontOptions = {}): Promise<Front> {
    const front = new Front();
    front.#replicaEnv = replicaEnv;
    try {
      front.network = await front.stage.network('slack');
      const edge = await front.stage.network('edge', { internal: false });
      mkdirSync(join(front.stage.folder, 'tls'));
      front.container = await front.stage.start('front', {
        image: NGINX,
        networks: [{ name: edge }, { name: front.network }],
        env,
        options: [
          ...NGINX_OPTIONS,
          '--stop-signal=SIGQUIT',
          `--volume=${join(front.stage.folder, 'tls')}:/run/tls:ro`,
          '--publish=127.0.0.1::8443',
          '--publish=127.0.0.1::8080',
        ],
        command: ['/bin/sh', '/etc/front/front.sh'],
      });
      front.httpsPort = await front.stage.published(front.container, 8443);
      front.httpPort = await front.stage.published(front.container, 8080);
      await Promise.all(Array.from({ length: replicas }, () => front.addReplica()));
      await until('the front is up', () => front.#isUp(env), { timeoutMs: 20_000, everyMs: 50 });
      if (replicas > 0) await front.untilAllServe();
      return front;
    } catch (error) {
      const said = front.container === '' ? '' : await docker('logs', front.container).catch(() => '');
      await front[Symbol.asyncDispose]();
      throw new Error(`the front did not start: ${said}`, { cause: error });
    }
  }

  /** A running bridge process that answers to mcp-slack, ready or not. */
  async addReplica(): Promise<string> {
    this.#started += 1;
    const name = `replica-${this.#started}`;
    const config = join(this.stage.folder, 'fleet.config.json');
    const fake = {
      command: 'node',
      args: [join(ROOT, 'test/fixtures/fake-child.mjs')],
      env: { FAKE_LEDGER: this.ledger.path },
    };
    writeFileSync(config, JSON.stringify({ mcpServers: { slack: fake } }));
    const replica = await this.stage.start(name, {
      image: NODE,
      networks: [{ name: this.network, aliases: ['mcp-slack'] }],
      env: {
        HOST: '0.0.0.0',
        AUTH: 'none',
        DRAIN_DELAY_MS: '3000',
        NODE_COMPILE_CACHE: join(ROOT, '.cache/node'),
        ...this.#replicaEnv,
      },
      options: [
        '--init',
        `--volume=${ROOT}:${ROOT}:ro`,
        `--volume=${join(ROOT, '.cache')}:${join(ROOT, '.cache')}`,
        `--volume=${this.stage.folder}:${this.stage.folder}:ro`,
        `--volume=${join(this.ledger.path, '..')}:${join(this.ledger.path, '..')}`,
        `--workdir=${ROOT}`,
      ],
      command: ['node', 'core/cli/fleet.ts', 'serve', '--config', config],
    });
    this.replicas.push(replica);
    return replica;
  }

  /** A container that has the name and listens nowhere. */
  async addEmptyReplica(): Promise<string> {
    this.#started += 1;
    return this.stage.start(`replica-${this.#started}`, {
      image: NODE,
      networks: [{ name: this.network, aliases: ['mcp-slack'] }],
      options: ['--init'],
      command: ['sleep', '600'],
    });
  }

  async removeReplica(replica: string): Promise<void> {
    await this.stage.remove(replica);
    this.replicas.splice(this.replicas.indexOf(replica), 1);
  }

  /** Waits until every replica has answered a call through the front, so that later counts start even. */
  async untilAllServe(): Promise<void> {
    await until(
      'every replica serves',
      async () => {
        for (const _ of this.replicas) if ((await this.call('echo', { text: 'up' })).status !== 200) return false;
        const served = new Set(
          (await this.log()).filter(({ status }) => status === 200).map(({ upstream }) => upstream),
        );
        return (await this.#addresses()).every((address) => served.has(`${address}:3000`));
      },
      { timeoutMs: 40_000, everyMs: 100 },
    );
  }

  /** Calls a tool of the bridge `slack` over TLS. */
  call(tool: string, args: Readonly<Record<string, unknown>> = {}, options: CallOptions = {}): Promise<FrontAnswer> {
    const body = JSON.stringify(args);
    return this.request(`/slack/mcp/tools/${tool}`, {
      method: 'POST',
      body,
      ...options,
      headers: { 'content-type': 'application/json', ...options.headers },
    });
  }

  async request(path: string, options: CallOptions & { readonly origin?: string } = {}): Promise<FrontAnswer> {
    const answer = await this.#agent.request({
      origin: options.origin ?? `https://127.0.0.1:${this.httpsPort}`,
      path,
      method: (options.method ?? 'GET') as 'GET',
      headers: options.headers ?? {},
      body: options.body ?? null,
    });
    const text = await answer.body.text();
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: answer.statusCode, headers: answer.headers, json, text };
  }

  /** Sends bytes as they are, over TLS; everything that comes back until the connection ends. */
  raw(...parts: readonly string[]): Promise<string> {
    const socket = connectTls({ port: this.httpsPort, host: '127.0.0.1', rejectUnauthorized: false });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    for (const part of parts) socket.write(Buffer.from(part, 'latin1'));
    return new Promise((resolve) => socket.once('close', () => resolve(text)));
  }

  /** One request over HTTP/2. */
  async http2(
    headers: Readonly<Record<string, string>>,
    body: string,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const session = connectHttp2(`https://127.0.0.1:${this.httpsPort}`, { rejectUnauthorized: false });
    try {
      const stream = session.request({ ...headers }, { endStream: false });
      stream.end(body);
      const status = await new Promise<number>((resolve, reject) => {
        stream.once('response', (answer) => resolve(Number(answer[':status'])));
        stream.once('error', reject);
        session.once('error', reject);
      });
      let text = '';
      for await (const chunk of stream) text += String(chunk);
      return { status, text };
    } finally {
      session.destroy();
    }
  }

  /** The lines of the front's access log so far. @throws Error where one is not JSON */
  async log(): Promise<AccessLine[]> {
    const lines = (await docker('logs', this.container)).split('\n');
    return lines.map((line) => JSON.parse(line) as AccessLine).filter(({ msg }) => msg === 'request');
  }

  /** Everything that the front has written, as it is. */
  output(): Promise<string> {
    return docker('logs', this.container);
  }

  /** Reads its configuration anew, and fails if it cannot. */
  async reload(): Promise<void> {
    await docker('exec', this.container, '/bin/sh', '/etc/front/front.sh', 'reload');
  }

  async #addresses(): Promise<string[]> {
    return Promise.all(this.replicas.map((replica) => this.stage.address(replica, this.network)));
  }

  async #isUp(env: Readonly<Record<string, string>>): Promise<boolean> {
    try {
      const origin =
        env.FRONT_TLS === 'off' ? `http://127.0.0.1:${this.httpPort}` : `https://127.0.0.1:${this.httpsPort}`;
      return (await this.request('/healthz', { origin })).status === 200;
    } catch {
      if ((await docker('inspect', '--format', '{{.State.Running}}', this.container)) !== 'true')
        throw new Error('it ended');
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
    await this.stage[Symbol.asyncDispose]();
    this.ledger[Symbol.dispose]();
  }
}
