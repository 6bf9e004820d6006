import { hash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startCollector } from './collector.ts';
import { BENCH_KEY, type DialectName } from './drive/dialect.ts';
import type { Section } from './options.ts';

/** What the child behind a subject is. */
export type ChildName = 'echo' | 'echo-sdk';

/** What a subject's command line is made of. */
export interface Place {
  readonly port: number;
  readonly opsPort: number;
  /** The child's module. */
  readonly child: string;
  /** A folder of this start alone, for configuration. */
  readonly dir: string;
}

/** One thing that is measured. */
export interface Subject {
  readonly name: string;
  /** For the tables' legend. */
  readonly about: string;
  readonly role: 'ours' | 'naive' | 'peer' | 'limit';
  /** Not set where the generator is the child's parent itself. */
  readonly server?: {
    readonly dialect: DialectName;
    /** Arguments for this Node. */
    readonly argv: (place: Place) => readonly string[];
    /** Variables of its own, beside a plain environment. */
    readonly env?: (place: Place) => Readonly<Record<string, string>>;
  };
  /** Takes part in the measurements under load; the others only in `cold` and `fresh`. */
  readonly loaded: boolean;
  /** Takes part in this section alone; the others know nothing of it. */
  readonly onlyIn?: Section;
  /** Whose clients open sessions and may end them with DELETE. */
  readonly sessions: boolean;
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const OURS = at('../../core/cli/fleet.ts');
const SUPERGATEWAY = at('node_modules/supergateway/dist/index.js');
const MCP_PROXY = at('node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs');

/** The module of a child. */
export const childModule = (child: ChildName): string => at(`${child}.mjs`);

function ours({ port, opsPort, child, dir }: Place): readonly string[] {
  const file = join(dir, 'fleet.config.json');
  const pool = { min: 1, max: 1, concurrency: 128 };
  const tools = { '*': { effect: 'read' } };
  const echo = { command: process.execPath, args: [child], pool, tools };
  writeFileSync(file, JSON.stringify({ mcpServers: { echo } }));
  // The flag is that of the npm scripts: large results are garbage at once, and a small old space is collected for it.
  const node = ['--initial-old-space-size=64', OURS];
  return [...node, 'serve', '--config', file, '--port', `${port}`, '--ops-port', `${opsPort}`, '--host', '127.0.0.1'];
}

/** As the npm scripts start it: telemetry is exported where variables ask for it. */
function watched(place: Place): readonly string[] {
  return ['--import', at('../../core/telemetry/register.ts'), ...ours(place)];
}

/** A subject that exports; the collector is a process of its own, whose work is not the subject's. */
function traced(name: string, about: string, ratio: string, collector: 'takes' | 'hangs' = 'takes'): Subject[] {
  const env = ({ dir }: Place): Readonly<Record<string, string>> => ({
    OTEL_EXPORTER_OTLP_ENDPOINT: startCollector(dir, collector),
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: ratio,
    OTEL_BSP_SCHEDULE_DELAY: '1000',
  });
  return [
    {
      name,
      about,
      role: 'ours',
      server: { dialect: 'rest', argv: watched, env },
      loaded: true,
      onlyIn: 'telemetry',
      sessions: false,
    },
  ];
}

/** Every policy on: keys, a quota that nobody reaches, the breaker; no audit. */
function guardedEnv({ dir }: Place): Readonly<Record<string, string>> {
  const file = join(dir, 'keys.json');
  const key = { id: 'bench', sha256: hash('sha256', BENCH_KEY), allow: ['*:*'], ratePerMinute: 10_000_000 };
  writeFileSync(file, JSON.stringify([key]));
  return { AUTH: 'keys', API_KEYS_FILE: file };
}

function supergateway({ port, child }: Place, ...more: readonly string[]): readonly string[] {
  const command = `"${process.execPath}" "${child}"`;
  const transport = ['--outputTransport', 'streamableHttp', '--logLevel', 'none'];
  return ['--import', at('loopback.mjs'), SUPERGATEWAY, '--stdio', command, '--port', `${port}`, ...transport, ...more];
}

function mcpProxy({ port, child }: Place, ...more: readonly string[]): readonly string[] {
  const listen = ['--server', 'stream', '--host', '127.0.0.1', '--port', `${port}`];
  return [MCP_PROXY, ...listen, ...more, '--', process.execPath, child];
}

/** Everything the benchmark knows, in the order of its tables. */
export const SUBJECTS: readonly Subject[] = [
  {
    name: 'ours',
    about: 'fleet serve, every default feature on, pool {min 1, max 1, concurrency 128}: one child like the others',
    role: 'ours',
    server: { dialect: 'rest', argv: ours },
    loaded: true,
    sessions: false,
  },
  {
    name: 'naive',
    about: 'naive.mjs: Hono, one child, text concatenated and split, everything parsed and serialised',
    role: 'naive',
    server: {
      dialect: 'rest',
      argv: ({ port, child }) => [at('naive.mjs'), `${port}`, process.execPath, child],
    },
    loaded: true,
    sessions: false,
  },
  {
    name: 'sg-stateful',
    about: 'supergateway, Streamable HTTP, --stateful, logs off; one session',
    role: 'peer',
    server: { dialect: 'mcp', argv: (place) => supergateway(place, '--stateful') },
    loaded: true,
    sessions: true,
  },
  {
    name: 'sg-stateless',
    about: 'supergateway, Streamable HTTP, stateless (its default): a child per call',
    role: 'peer',
    server: { dialect: 'mcp-stateless', argv: (place) => supergateway(place) },
    loaded: false,
    sessions: false,
  },
  {
    name: 'mp-stateful',
    about: 'mcp-proxy, Streamable HTTP with a session (its default)',
    role: 'peer',
    server: { dialect: 'mcp', argv: (place) => mcpProxy(place) },
    loaded: true,
    sessions: true,
  },
  {
    name: 'mp-modern',
    about: 'mcp-proxy, the sessionless revision 2026-07-28, no event store',
    role: 'peer',
    server: { dialect: 'mcp-modern', argv: (place) => mcpProxy(place, '--no-eventStore') },
    loaded: true,
    sessions: false,
  },
  {
    name: 'bare',
    about: 'bare.ts: our edge, pool and child, meters and access lines, and no policy but the deadline',
    role: 'limit',
    server: { dialect: 'rest', argv: ({ port, child }) => [at('bare.ts'), `${port}`, child] },
    loaded: true,
    onlyIn: 'policies',
    sessions: false,
  },
  {
    name: 'guarded',
    about: 'ours with AUTH=keys and a quota in memory: every policy but the audit',
    role: 'ours',
    server: { dialect: 'rest-key', argv: ours, env: guardedEnv },
    loaded: true,
    onlyIn: 'policies',
    sessions: false,
  },
  {
    name: 'unwatched',
    about: 'ours without access lines; no export',
    role: 'ours',
    server: { dialect: 'rest', argv: watched, env: () => ({ ACCESS_LOG: 'off' }) },
    loaded: true,
    onlyIn: 'telemetry',
    sessions: false,
  },
  ...traced('traced-10', 'ours, a tenth of the traces and all numbers exported to a collector that takes them', '0.1'),
  ...traced('traced-100', 'the same, every trace', '1'),
  ...traced('traced-hung', 'the same as traced-10, the collector never answers', '0.1', 'hangs'),
  {
    name: 'pipe',
    about: 'no bridge: the generator on the child’s own pipes (its CPU is the generator’s)',
    role: 'limit',
    loaded: true,
    sessions: false,
  },
];

/** False while the subject's own code is not there. */
export function isInstalled(subject: Subject): boolean {
  return subject.role !== 'ours' || existsSync(OURS);
}
