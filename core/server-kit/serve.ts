import { setImmediate as nextTurn } from 'node:timers/promises';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import {
  CallToolRequestSchema,
  type CallToolResult,
  ErrorCode,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  ReadResourceRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import type { Effect } from '#core/call.ts';
import type { DefinedTool } from '#core/server-kit/define-tool.ts';
import { EnvironmentError } from '#core/server-kit/environment.ts';
import { createLog, type Log } from '#core/server-kit/log.ts';
import type { Resources } from '#core/server-kit/resources.ts';
import { failure, reconciled, success, toToolError } from '#core/server-kit/result.ts';
import { openContext, RECONCILE_META, type ToolContext, tracedLog } from '#core/server-kit/tool-context.ts';

/** One stdio server. */
export interface ServerSpec {
  readonly name: string;
  readonly version: string;
  /** Shown to models at initialize. */
  readonly instructions?: string;
  readonly tools: readonly DefinedTool[];
  readonly resources?: Resources;
  /** How long calls may run on after EOF on stdin before their signal is aborted. Default 1 500 ms. */
  readonly eofGraceMs?: number;
  /** Ends what the server holds, after the last answer. */
  close?(): Promise<void>;
}

const EXIT_CONFIGURATION = 78;
const DEFAULT_EOF_GRACE_MS = 1_500;
/** After the abort, a call that ignores its signal is waited for no longer than this. */
const MAX_UNWIND_MS = 3_000;

/** What the SDK hands to every handler, as far as it is used here. */
interface Extra {
  readonly signal: AbortSignal;
}

/** The calls in flight and the way out: EOF lets them finish, a signal aborts them. */
class Calls {
  readonly #ending = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  async run<T>(
    effect: Effect,
    meta: Readonly<Record<string, unknown>> | undefined,
    extra: Extra,
    work: (context: ToolContext) => Promise<T>,
  ): Promise<T> {
    using open = openContext({
      effect,
      meta,
      cancelled: extra.signal,
      ending: this.#ending.signal,
      log: this.#log,
    });
    const running = work(open.context);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  abort(): void {
    this.#ending.abort();
  }

  /** Settles when no call runs, `graceMs` have passed, or the calls were aborted and had time to unwind. */
  async idle(graceMs: number): Promise<void> {
    const grace = setTimeout(() => this.abort(), graceMs);
    const ignored = Promise.withResolvers<void>();
    const giveUp = () => setTimeout(ignored.resolve, MAX_UNWIND_MS);
    if (this.#ending.signal.aborted) giveUp();
    else this.#ending.signal.addEventListener('abort', giveUp, { once: true });
    // A call read just before EOF starts in the next turn, and an answer is written in the turn of its end.
    await nextTurn();
    while (this.#running.size > 0) {
      const ended = await Promise.race([
        Promise.allSettled(this.#running).then(() => true),
        ignored.promise.then(() => false),
      ]);
      await nextTurn();
      if (!ended) break;
    }
    clearTimeout(grace);
  }
}

function showTools(server: Server, spec: ServerSpec, calls: Calls, log: Log): void {
  const tools = new Map(spec.tools.map((tool) => [tool.name, tool]));
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: spec.tools.map((tool) => ({ ...tool.listed() })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra): Promise<CallToolResult> => {
    const tool = tools.get(params.name);
    if (tool === undefined) throw new McpError(ErrorCode.InvalidParams, 'Unknown tool');
    try {
      const args = params.arguments ?? {};
      if (params._meta?.[RECONCILE_META] === true) {
        return reconciled(await calls.run('read', params._meta, extra, (context) => tool.reconcile(args, context)));
      }
      return success(await calls.run(tool.effect, params._meta, extra, (context) => tool.call(args, context)));
    } catch (thrown) {
      const error = toToolError(thrown, tool.name);
      if (error.code === 'internal') {
        tracedLog(log, params._meta).error('tool failed unexpectedly', { tool: tool.name, stack: stackOf(thrown) });
      }
      return failure(error);
    }
  });
}

function showResources(server: Server, resources: Resources, calls: Calls): void {
  const asRpc = (error: unknown): never => {
    const { code, message } = toToolError(error, 'the resource');
    throw new McpError(code === 'resource_not_found' ? ErrorCode.InvalidParams : ErrorCode.InternalError, message);
  };
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [...resources.templates] }));
  server.setRequestHandler(ListResourcesRequestSchema, async ({ params }, extra) => {
    const page = await calls
      .run('read', params?._meta, extra, (context) => resources.list(params?.cursor, context))
      .catch(asRpc);
    return { ...page, resources: [...page.resources] };
  });
  server.setRequestHandler(ReadResourceRequestSchema, async ({ params }, extra) => {
    const value = await calls
      .run('read', params._meta, extra, (context) => resources.read(params.uri, context))
      .catch(asRpc);
    return { contents: [{ uri: params.uri, mimeType: 'application/json', text: JSON.stringify(value) }] };
  });
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Settles when this process is asked to end: EOF on stdin, SIGTERM, SIGINT, or nobody reads stdout. */
function askedToEnd(calls: Calls): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const now = () => {
    calls.abort();
    resolve();
  };
  process.stdin.once('end', resolve);
  process.stdin.once('close', resolve);
  process.stdout.on('error', now);
  process.once('SIGTERM', now);
  process.once('SIGINT', now);
  return promise;
}

/**
 * Runs a stdio MCP server until its stdin ends, then lets the calls in flight finish, writes their answers and exits 0.
 *
 * EOF: calls get `eofGraceMs` to finish by themselves, then their signal is aborted. SIGTERM and SIGINT abort at
 * once and still write the answers. A wrong environment is printed, one line per problem, and exits with 78.
 */
export async function serve(make: () => ServerSpec | Promise<ServerSpec>): Promise<never> {
  let spec: ServerSpec;
  try {
    spec = await make();
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    for (const problem of error.problems) process.stderr.write(`${problem}\n`);
    process.exit(EXIT_CONFIGURATION);
  }
  const { name, version, instructions, resources } = spec;
  const log = createLog({ server: name });
  const calls = new Calls(log);
  const server = new Server(
    { name, version },
    {
      capabilities: { tools: {}, ...(resources === undefined ? {} : { resources: {} }) },
      ...(instructions === undefined ? {} : { instructions }),
    },
  );
  server.onerror = (error) => log.warn('protocol error', { reason: error.message });
  showTools(server, spec, calls, log);
  if (resources !== undefined) showResources(server, resources, calls);

  const ending = askedToEnd(calls);
  await server.connect(new StdioServerTransport());
  await ending;
  await calls.idle(spec.eofGraceMs ?? DEFAULT_EOF_GRACE_MS);
  await spec.close?.().catch((error: unknown) => log.warn('close failed', { reason: stackOf(error) }));
  await new Promise<void>((flushed) => process.stdout.write('', () => flushed()));
  process.exit(0);
}
