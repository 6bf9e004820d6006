import type { Bridge } from '#core/bridge.ts';
import type { CallReport, ToolCall, ToolResult } from '#core/call.ts';
import { Cancellation, type Canceller } from '#core/cancellation.ts';
import { BridgeError, CLIENT_GONE } from '#core/errors.ts';
import type { Catalog, Tool, Verdict } from '#core/mcp/catalog.ts';
import type { Principal } from '#core/principal.ts';
import { isToolName, type ToolAddress } from './address.ts';
import { type Arguments, readArguments } from './body.ts';
import { type Inquiry, problemOf } from './conclude.ts';
import type { Edge } from './edge.ts';
import type { Answer } from './exchange.ts';
import { findBridge, findTool } from './lookup.ts';
import { cacheHeaders, pushReportHeaders } from './report-headers.ts';
import { idempotencyKey, requestTimeoutMs, wantsFresh, wantsReconcile, wantsStrict } from './request-headers.ts';

/** Up to this size a result is copied into one string with its head and leaves in one write. */
const MAX_TEXT_BYTES = 16_384;
/** How long a call waits for a bridge's first list of tools where the caller does not say. */
const DEFAULT_LIST_DEADLINE_MS = 30_000;

/**
 * Calls a tool: the only hot path. Refusals come in the contract's order: who calls, bridge, tool, body, arguments, and
 * then what the policies refuse.
 * @throws BridgeError
 */
export async function callTool(edge: Edge, inquiry: Inquiry, address: ToolAddress): Promise<Answer> {
  const { exchange } = inquiry;
  inquiry.address = 'tool';
  const who = edge.authenticate(exchange);
  const principal = who instanceof Promise ? await who : who;
  inquiry.principal = principal;
  const bridge = findBridge(edge, inquiry, address.bridge, principal);
  if (isToolName(address.tool)) inquiry.toolName = address.tool;
  authorizeCall(inquiry, bridge, principal, address.tool);

  const abort = new Cancellation();
  let keyed = false;
  exchange.onGone(() => {
    // A keyed call runs on, so that its outcome is there for whoever asks again.
    if (!keyed) abort.abort(CLIENT_GONE);
  });
  const ongoing = edge.enter(exchange, abort);
  try {
    const listed = catalogOf(bridge, inquiry, abort);
    const tool = findTool(inquiry, listed instanceof Promise ? await listed : listed, principal);
    const { policy } = tool;
    const timeoutMs = requestTimeoutMs(exchange, policy.deadlineMs);
    const key = idempotencyKey(exchange, policy);
    const reconcile = wantsReconcile(exchange, policy, key);
    const reading = readArguments(exchange, edge.maxBodyBytes);
    const args = reading instanceof Promise ? await reading : reading;
    abort.throwIfAborted();
    const verdict = verdictOn(tool, args);
    if (verdict instanceof Promise) {
      refuseWrong(await verdict);
      abort.throwIfAborted();
    } else refuseWrong(verdict);
    keyed = key !== undefined;
    const report: CallReport = newReport();
    inquiry.report = report;
    // One shape for every call: a member that is added later is one allocation more, and slow to read.
    const call: ToolCall = {
      bridge: bridge.name,
      tool: tool.name,
      definition: tool,
      policy,
      effect: policy.effect,
      argumentsJson: args.json,
      principal,
      requestId: inquiry.requestId,
      trace: inquiry.trace,
      follow: inquiry.watch?.call,
      idempotencyKey: key,
      reconcile,
      fresh: wantsFresh(exchange),
      report,
      arrivedAtMs: exchange.arrivedAtMs,
      timeoutMs,
      abort,
    };
    const result = await bridge.invoke(call);
    inquiry.toolFailed = result.isError;
    return result.isError && wantsStrict(exchange)
      ? toolErrorAnswer(edge, inquiry, result)
      : resultAnswer(inquiry.requestId, report, result);
  } finally {
    edge.leave(ongoing);
  }
}

/** @throws BridgeError forbidden_tool */
export function authorizeCall(inquiry: Inquiry, bridge: Bridge, principal: Principal, tool: string): void {
  const { requestId, trace, exchange } = inquiry;
  bridge.authorize({ principal, tool, requestId, trace, arrivedAtMs: exchange.arrivedAtMs });
}

/** The bridge's tools; waits for a first worker no longer than the caller would. */
export function catalogOf(bridge: Bridge, inquiry: Inquiry, abort: Canceller): Promise<Catalog> | Catalog {
  const listed = bridge.tools(abort.signal);
  if (!(listed instanceof Promise)) return listed;
  const waitMs = listDeadlineMs(inquiry);
  const timer = setTimeout(() => {
    abort.abort(new BridgeError('no_worker_ready', `no worker was ready to list the tools within ${waitMs} ms`));
  }, waitMs);
  return listed.finally(() => clearTimeout(timer));
}

function listDeadlineMs({ exchange }: Inquiry): number {
  try {
    return requestTimeoutMs(exchange, DEFAULT_LIST_DEADLINE_MS);
  } catch {
    // Refused in its turn, once the tool is known to exist.
    return DEFAULT_LIST_DEADLINE_MS;
  }
}

function newReport(): CallReport {
  return { attempts: 0, source: 'child', ageMs: 0, quota: undefined, retry: undefined, waitMs: 0, childMs: 0 };
}

function verdictOn(tool: Tool, args: Arguments): Verdict | Promise<Verdict> {
  if (tool.changed) {
    throw new BridgeError(
      'tool_definition_changed',
      'the tool is not as it was approved; look at what changed, then pin it anew (fleet pin)',
    );
  }
  if (tool.rejected !== undefined) {
    throw new BridgeError('schema_rejected', "the tool's input schema cannot be used; the bridge's log says why");
  }
  return tool.validate(args.value);
}

function refuseWrong(errors: Verdict): void {
  if (errors === undefined) return;
  throw new BridgeError('invalid_arguments', `${errors.length} of the arguments' rules are broken; see errors`, {
    details: { errors },
  });
}

function resultAnswer(requestId: string, report: CallReport, result: ToolResult): Answer {
  const headers = ['Content-Type', 'application/json', 'X-Request-Id', requestId, ...cacheHeaders(report)];
  pushReportHeaders(headers, report);
  if (result.isError) headers.push('X-Tool-Error', 'true');
  headers.push('Content-Length', String(result.length));
  return { status: 200, headers, body: result.length <= MAX_TEXT_BYTES ? latin1(result.body) : result.body };
}

/** The tool's own failure as a problem, its result passed through byte by byte as the member `result`. */
function toolErrorAnswer(edge: Edge, inquiry: Inquiry, result: ToolResult): Answer {
  const first = inquiry.report?.first;
  const error = new BridgeError('tool_error', 'the tool ran and reports a failure; see result', {
    executed: 'yes',
    ...(first === undefined ? {} : { first }),
  });
  const { status, headers, body } = problemOf(edge, inquiry, error);
  const head = Buffer.from(`${body.slice(0, -1)},"result":`, 'latin1');
  headers.push('X-Tool-Error', 'true', 'Content-Length', String(head.length + result.length + 1));
  return { status, headers, body: [head, ...result.body, Buffer.from('}')] };
}

function latin1(pieces: readonly Uint8Array[]): string {
  let text = '';
  for (const piece of pieces) text += asBuffer(piece).toString('latin1');
  return text;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
