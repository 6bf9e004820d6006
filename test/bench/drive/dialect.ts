import type { HttpAnswer, HttpConnection } from './http-connection.ts';
import { answerHeader } from './http-connection.ts';
import { argumentsOf, FIRST_CALL, type Workload } from './workload.ts';

/**
 * How a subject is spoken to. `rest` is ours and the naive bridge's, `rest-key` the same with an API key; `mcp` is Streamable HTTP with a
 * session, `mcp-stateless` the same without one, `mcp-modern` the sessionless revision 2026-07-28.
 */
export type DialectName = 'rest' | 'rest-key' | 'mcp' | 'mcp-stateless' | 'mcp-modern';

/** One client's side of a dialect, after its handshake. */
export interface Dialect {
  /** Makes the whole request of a call; what all calls share is made once. */
  requests(workload: Workload): (call: number) => string;
  /** The tool's result out of an answer: its body, or the message in its SSE event. @throws Error without one */
  result(answer: HttpAnswer): unknown;
  /** What a polite client sends last. */
  readonly farewell: string | undefined;
}

/** The key of the dialect `rest-key`: no secret, it opens a process of this run alone. */
export const BENCH_KEY = 'mbf_bench_0123456789abcdefghijklmnopqrstuvwxyz';

const LEGACY = '2025-11-25';
const MODERN = '2026-07-28';
const META = `"_meta":{"io.modelcontextprotocol/protocolVersion":"${MODERN}","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1.0.0"}}`;

/** A request's head. Bodies here are ASCII, so their length as text is their length in bytes. */
function head(port: number, path: string, fields: string, bodyLength: number): string {
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n${fields}Content-Length: ${bodyLength}\r\n\r\n`;
}

function post(port: number, path: string, fields: string, body: string): string {
  return head(port, path, fields, body.length) + body;
}

/** Requests that differ in the call's number alone. */
function posts(port: number, path: string, fields: string, body: (call: number) => string): (call: number) => string {
  const shared = head(port, path, fields, body(FIRST_CALL).length);
  return (call) => shared + body(call);
}

function rpc(id: number, method: string, params: string): string {
  return `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":${params}}`;
}

function bodyText(answer: HttpAnswer): string {
  return Buffer.concat(answer.pieces).toString('utf8');
}

/** The JSON-RPC message of an answer, whether it came as JSON or as an SSE event. */
function rpcMessage(answer: HttpAnswer): {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
} {
  const text = bodyText(answer);
  if (answerHeader(answer, 'content-type')?.startsWith('text/event-stream') !== true) return JSON.parse(text);
  for (const line of text.split(/\r?\n/)) {
    const data = line.startsWith('data:') ? line.slice(5).trim() : '';
    if (data === '') continue;
    const message = JSON.parse(data);
    if (message.result !== undefined || message.error !== undefined) return message;
  }
  throw new Error('an event stream without an answer');
}

function result(answer: HttpAnswer): unknown {
  const message = rpcMessage(answer);
  if (message.result === undefined) throw new Error(`an error instead of a result: ${JSON.stringify(message.error)}`);
  return message.result;
}

function streamable(port: number, fields: string, meta: string, farewell: string | undefined): Dialect {
  return {
    requests: (workload) => {
      const args = argumentsOf(workload);
      return posts(port, '/mcp', fields.replace('TOOL', workload.tool), (call) =>
        rpc(call, 'tools/call', `{"name":"${workload.tool}","arguments":${args(call)}${meta}}`),
      );
    },
    result,
    farewell,
  };
}

const ACCEPT = 'Accept: application/json, text/event-stream\r\n';

async function openSession(port: number, connection: HttpConnection): Promise<Dialect> {
  const client = '"clientInfo":{"name":"bench","version":"1.0.0"}';
  const params = `{"protocolVersion":"${LEGACY}","capabilities":{},${client}}`;
  const opened = await connection.ask(post(port, '/mcp', ACCEPT, rpc(1, 'initialize', params)));
  const session = answerHeader(opened, 'mcp-session-id');
  if (opened.status !== 200 || session === undefined) throw new Error(`initialize was answered ${opened.status}`);
  result(opened);
  const fields = `${ACCEPT}Mcp-Session-Id: ${session}\r\nMCP-Protocol-Version: ${LEGACY}\r\n`;
  const initialized = '{"jsonrpc":"2.0","method":"notifications/initialized"}';
  const accepted = await connection.ask(post(port, '/mcp', fields, initialized));
  if (accepted.status !== 202) throw new Error(`notifications/initialized was answered ${accepted.status}`);
  const farewell = `DELETE /mcp HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${fields}Content-Length: 0\r\n\r\n`;
  return streamable(port, fields, '', farewell);
}

/** Does what a new client of that dialect has to do before its first call. @throws Error where it is refused */
export async function greet(name: DialectName, port: number, connection: HttpConnection): Promise<Dialect> {
  switch (name) {
    case 'rest':
    case 'rest-key': {
      const fields = name === 'rest' ? '' : `Authorization: Bearer ${BENCH_KEY}\r\n`;
      return {
        requests: (workload) => posts(port, `/mcp/tools/${workload.tool}`, fields, argumentsOf(workload)),
        result: (answer) => JSON.parse(bodyText(answer)),
        farewell: undefined,
      };
    }
    case 'mcp':
      return await openSession(port, connection);
    case 'mcp-stateless':
      return streamable(port, `${ACCEPT}MCP-Protocol-Version: ${LEGACY}\r\n`, '', undefined);
    case 'mcp-modern': {
      const fields = `${ACCEPT}MCP-Protocol-Version: ${MODERN}\r\nMcp-Method: tools/call\r\nMcp-Name: TOOL\r\n`;
      return streamable(port, fields, `,${META}`, undefined);
    }
  }
}
