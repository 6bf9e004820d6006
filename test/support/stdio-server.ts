import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { CallToolResultSchema } from '@modelcontextprotocol/sdk/types.js';

/** What a tool answered, read back from the wire. */
export interface StdioAnswer {
  readonly isError: boolean;
  /** `structuredContent` as the official client saw and validated it. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly data: any;
  /** What a look found: `executed`, `not_executed` or `unknown`; undefined where nothing was looked for. */
  readonly reconciled: string | undefined;
}

/** What the bridge would hand down with a call. */
export interface StdioCallOptions {
  readonly idempotencyKey?: string;
  readonly deadlineMs?: number;
  /** Who calls, for servers that are told. */
  readonly principal?: string;
  /** Only look what became of an earlier call with the same key. */
  readonly reconcile?: boolean;
}

/** One of our servers over its real stdio, driven by the official client. */
export interface StdioServer extends AsyncDisposable {
  readonly client: Client;
  stderr(): string;
  call(tool: string, args?: Record<string, unknown>, options?: StdioCallOptions): Promise<StdioAnswer>;
}

/**
 * Starts `bridges/<name>/server.ts` with exactly `env` (and the cache of compiled code) and lists its tools, so that the
 * client checks every answer.
 */
export async function openStdioServer(name: string, env: Readonly<Record<string, string>>): Promise<StdioServer> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [fileURLToPath(new URL(`../../bridges/${name}/server.ts`, import.meta.url))],
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('../../.cache/node', import.meta.url)), ...env },
    stderr: 'pipe',
  });
  let stderr = '';
  transport.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const client = new Client({ name: 'test', version: '0' });
  await client.connect(transport);
  await client.listTools();
  return {
    client,
    stderr: () => stderr,
    call: async (tool, args = {}, { idempotencyKey, deadlineMs, principal, reconcile } = {}) => {
      const params = {
        name: tool,
        arguments: args,
        _meta: {
          ...(deadlineMs === undefined ? {} : { 'mcp-bridge-fleet/deadlineMs': deadlineMs }),
          ...(principal === undefined ? {} : { 'mcp-bridge-fleet/principal': principal }),
          ...(idempotencyKey === undefined ? {} : { 'mcp-bridge-fleet/idempotencyKey': idempotencyKey }),
          ...(reconcile === undefined ? {} : { 'mcp-bridge-fleet/reconcile': reconcile }),
        },
      };
      // What was found is no output of the tool, unless it was executed: the client would hold it against the schema.
      const result = reconcile
        ? await client.request({ method: 'tools/call', params }, CallToolResultSchema)
        : await client.callTool(params);
      const found = result._meta?.['mcp-bridge-fleet/reconciled'];
      return {
        isError: result.isError === true,
        data: result.structuredContent,
        reconciled: typeof found === 'string' ? found : undefined,
      };
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}
