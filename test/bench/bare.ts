/**
 * Our own edge, pool and child with no policy but the deadline, and measured and logged like every call: what a call costs
 * without the policies. Started as `node bare.ts PORT CHILD`; the benchmark alone uses it.
 */
import type { Bridge } from '../../core/bridge.ts';
import { NO_CALLS } from '../../core/call-path.ts';
import { NO_CHILD_STATS } from '../../core/child/child-stats.ts';
import { McpWorker } from '../../core/child/mcp-worker.ts';
import { Redactor } from '../../core/child/redact.ts';
import { mergePool } from '../../core/config/pool-settings.ts';
import { Problems } from '../../core/config/problems.ts';
import { fullToolPolicy } from '../../core/config/tool-policy.ts';
import { dispatch } from '../../core/dispatch.ts';
import { createApp } from '../../core/http/app.ts';
import { Edge } from '../../core/http/edge.ts';
import { HttpServer } from '../../core/http/server.ts';
import { LiveCatalog } from '../../core/live-catalog.ts';
import { Deadline } from '../../core/policy/deadline.ts';
import { Pool } from '../../core/pool/pool.ts';
import { FleetMeters } from '../../core/telemetry/fleet-meters.ts';
import { createLog } from '../../core/telemetry/log.ts';

const [port = '', child = ''] = process.argv.slice(2);
const meters = new FleetMeters();
const meter = meters.of('echo');
const log = createLog({ output: process.stdout, level: 'info', redact: (text) => redactor.redact(text) });
const redactor = new Redactor([]);
const policy = fullToolPolicy({ effect: 'read' });
const catalog = new LiveCatalog({ policyFor: () => policy, pinFile: undefined, onListed: () => {} });
const limits = { values: { min: 1, max: 1, concurrency: 128 }, where: () => 'bare.ts' };
const settings = mergePool('echo', [limits], new Problems());
const pool = new Pool<McpWorker>({
  settings,
  create: (id) =>
    new McpWorker(
      {
        id,
        command: process.execPath,
        args: [child],
        env: {},
        cwd: process.cwd(),
        baseEnv: process.env,
        secrets: [],
        era: 'auto',
        eraMemory: { known: undefined },
        maxLineBytes: settings.maxLineBytes,
        concurrency: settings.concurrency,
        validateOutput: false,
        principalMeta: false,
        startDeadlineMs: settings.startDeadlineMs,
      },
      {
        tools: (definitions) => catalog.list(definitions),
        called: (tool, durationMs) => meter.attempted(tool, durationMs, undefined, undefined),
      },
    ),
});
await pool.start();
await catalog.settled;
const tools = await catalog.first(new AbortController().signal);
const bridge: Bridge = {
  name: 'echo',
  title: 'echo',
  description: '',
  mode: 'live',
  ready: true,
  authorize: () => {},
  tools: () => tools,
  invoke: new Deadline().policy(dispatch(pool, meter)),
  stats: () => ({ name: 'echo', mode: 'live', missing: [], pool: pool.stats(), child: NO_CHILD_STATS, ...NO_CALLS }),
  reload: async () => 'unchanged',
  start: async () => {},
  drain: () => pool.drain(),
  destroy: () => pool.destroy(),
};
const edge = new Edge({
  bridges: new Map([['echo', bridge]]),
  version: '0',
  onAnswered: (end) => {
    meters.answered(end);
    log.call(end);
  },
});
const server = new HttpServer({ edge, app: async () => createApp(edge) });
await server.listen(Number(port), '127.0.0.1');
process.once('SIGTERM', async () => {
  await server.destroy();
  await bridge.destroy();
  process.exit(0);
});
