import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

/** What a tool answered, read back from the wire. */
export interface Answer {
  readonly isError: boolean;
  /** `structuredContent` as the official client saw and validated it. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly data: any;
  /** The text twin. */
  readonly text: string;
}

/** The server over its real stdio, driven by the official client. */
export interface OpenServer extends AsyncDisposable {
  readonly client: Client;
  readonly pid: number;
  /** What it has written to stderr. */
  stderr(): string;
  rssBytes(): number;
  call(
    tool: string,
    args?: Record<string, unknown>,
    options?: { readonly deadlineMs?: number; readonly signal?: AbortSignal },
  ): Promise<Answer>;
}

/** Starts `bridges/postgres/server.ts` with exactly `env` and lists its tools, so that the client checks every answer. */
export async function openServer(env: Record<string, string>): Promise<OpenServer> {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [fileURLToPath(new URL('../../../bridges/postgres/server.ts', import.meta.url))],
    env,
    stderr: 'pipe',
  });
  let stderr = '';
  transport.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const client = new Client({ name: 'test', version: '0' });
  await client.connect(transport);
  await client.listTools();
  const pid = transport.pid ?? 0;
  return {
    client,
    pid,
    stderr: () => stderr,
    rssBytes: () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024,
    call: async (name, args = {}, { deadlineMs, signal } = {}) => {
      const meta = deadlineMs === undefined ? {} : { _meta: { 'mcp-bridge-fleet/deadlineMs': deadlineMs } };
      const result = await client.callTool(
        { name, arguments: args, ...meta },
        undefined,
        signal === undefined ? {} : { signal },
      );
      const [content] = result.content as { readonly type: string; readonly text: string }[];
      return { isError: result.isError === true, data: result.structuredContent, text: content?.text ?? '' };
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}
