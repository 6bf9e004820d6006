import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { bridges } from '../../bridges/index.ts';
import type { ToolPolicy } from '../../core/call.ts';
import type { Sandbox } from '../../core/manifest.ts';
import type { FaultOrder } from '../../core/sandbox-kit/fault-plan.ts';
import type { Received } from '../../core/sandbox-kit/received-log.ts';
import { type Answer, Fleet } from './fleet.ts';

/** What a call came back with, its `structuredContent` held against the tool's listed outputSchema. */
export interface VendorAnswer extends Answer {
  readonly isError: boolean;
  /** `structuredContent`; undefined where the answer is a problem. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into arbitrary answers
  readonly data: any;
}

/** A tool as `GET /{bridge}/mcp/tools` lists it. */
export interface VendorTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: object;
  readonly outputSchema: object;
  readonly annotations: Readonly<Record<string, unknown>>;
  readonly policy: Pick<ToolPolicy, 'effect' | 'deadlineMs' | 'cacheTtlMs' | 'idempotencyKey'>;
}

/** The stand-in, spoken to by its control addresses. */
export interface VendorSandbox {
  readonly url: string;
  /** What the bridge's server is given to reach it. */
  readonly env: Readonly<Record<string, string>>;
  fault(order: FaultOrder): Promise<void>;
  /** The orders that still wait. */
  faults(): Promise<readonly FaultOrder[]>;
  /** What arrived, oldest first; only at `path` where it is given. */
  received(path?: string): Promise<readonly Received[]>;
  /** Back to the seed, witness and orders too. */
  reset(): Promise<void>;
  // biome-ignore lint/suspicious/noExplicitAny: each vendor's state has its own shape
  state(): Promise<any>;
}

/** One bridge as production runs it, in front of its stand-in: HTTP, pool, child, the vendor's SDK, sandbox. */
export interface Vendor extends AsyncDisposable {
  readonly fleet: Fleet;
  readonly sandbox: VendorSandbox;
  call(
    tool: string,
    args?: Readonly<Record<string, unknown>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<VendorAnswer>;
  tools(): Promise<readonly VendorTool[]>;
  /**
   * A second process of the same bridge in front of the same stand-in; it knows nothing of the first one's keys.
   * @param options in place of the first one's
   */
  twin(options?: VendorOptions): Promise<Vendor>;
}

export interface VendorOptions {
  /** Beside, and before, what the stand-in says. */
  readonly env?: Readonly<Record<string, string>>;
}

function control(sandbox: Sandbox): VendorSandbox {
  const { url, env } = sandbox;
  if (url === undefined) throw new Error('the stand-in is no HTTP server');
  // biome-ignore lint/suspicious/noExplicitAny: the control addresses answer in several shapes
  const ask = async (method: string, address: string, body?: unknown): Promise<any> => {
    const answer = await fetch(`${url}/_sandbox/${address}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${address}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  return {
    url,
    env,
    fault: (order) => ask('POST', 'faults', order),
    faults: async () => (await ask('GET', 'faults')).faults,
    received: async (path) =>
      ((await ask('GET', 'received')).received as Received[]).filter(
        (seen) => path === undefined || seen.path === path,
      ),
    reset: () => ask('POST', 'reset'),
    state: () => ask('GET', 'state'),
  };
}

async function open(name: string, sandbox: VendorSandbox, options: VendorOptions): Promise<Vendor> {
  const fleet = await Fleet.start({
    args: ['serve', name],
    env: { POOL_MAX: '2', ...sandbox.env, ...options.env },
  });
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  let schemas: Promise<ReadonlyMap<string, ValidateFunction>> | undefined;
  const tools = async (): Promise<readonly VendorTool[]> =>
    (await fleet.request(`/${name}/mcp/tools`, undefined, { method: 'GET' })).json.tools;
  const validators = async () =>
    new Map((await tools()).map((tool) => [tool.name, ajv.compile(tool.outputSchema)] as const));
  return {
    fleet,
    sandbox,
    tools,
    call: async (tool, args = {}, headers = {}) => {
      const answer = await fleet.request(`/${name}/mcp/tools/${tool}`, args, { headers });
      const data = answer.json?.structuredContent;
      if (answer.status === 200) {
        schemas ??= validators();
        const fits = (await schemas).get(tool);
        if (fits === undefined) throw new Error(`${tool} is not listed`);
        if (!fits(data)) throw new Error(`${tool} breaks its outputSchema: ${ajv.errorsText(fits.errors)}`);
      }
      return { ...answer, isError: answer.json?.isError === true, data };
    },
    twin: (other = options) => open(name, sandbox, other),
    [Symbol.asyncDispose]: () => fleet[Symbol.asyncDispose](),
  };
}

/** Starts a bridge's stand-in and `fleet serve <name>` in front of it. Every good answer is held against its schema. */
export async function startVendor(name: string, options: VendorOptions = {}): Promise<Vendor> {
  const manifest = await bridges[name]?.();
  if (manifest?.sandbox === undefined) throw new Error(`${name} is no bridge with a stand-in`);
  const dataDir = await mkdtemp(join(tmpdir(), `fleet-${name}-`));
  await using opened = new AsyncDisposableStack();
  opened.defer(() => rm(dataDir, { recursive: true, force: true }));
  const sandbox = opened.use(await manifest.sandbox({ dataDir }));
  const vendor = opened.use(await open(name, control(sandbox), options));
  const all = opened.move();
  return { ...vendor, [Symbol.asyncDispose]: () => all.disposeAsync() };
}
