import type { Readable, Writable } from 'node:stream';
import type { AttemptTrace, ToolCall, ToolResult, TraceContext } from '#core/call.ts';
import { BridgeError, type Executed } from '#core/errors.ts';
import { RpcConnection, type RpcCounters } from '#core/jsonrpc/connection.ts';
import type { RpcResult } from '#core/jsonrpc/request.ts';
import type { Era } from '#core/manifest.ts';
import type { ToolDefinition } from '#core/mcp/catalog.ts';
import { Exchange, type Reply } from '#core/mcp/exchange.ts';
import { type EraMemory, type SessionInfo, shakeHands } from '#core/mcp/handshake.ts';
import { type CallHost, type Flaw, PendingCall, type SlotEnd } from '#core/mcp/pending-call.ts';
import { MODERN_META, MODERN_PARAMS } from '#core/mcp/protocol.ts';
import { listAllTools } from '#core/mcp/tool-list.ts';

export type { EraMemory, SessionInfo } from '#core/mcp/handshake.ts';
export type { SlotEnd } from '#core/mcp/pending-call.ts';

export interface SessionOptions {
  /** The child's stdout. */
  readonly input: Readable;
  /** The child's stdin. */
  readonly output: Writable;
  readonly era: Era;
  /** Shared by the workers of a bridge: the verdict of the first probe is remembered here. */
  readonly eraMemory: EraMemory;
  readonly maxLineBytes: number;
  /** Calls in flight that the pool gives this worker; as many abandoned ones retire it. */
  readonly concurrency: number;
  /** Check results of tools that declare an outputSchema. */
  readonly validateOutput: boolean;
  /** Tell the child the id of the principal that calls. */
  readonly principalMeta: boolean;
  /** What is wrong with a tool's structured content; asked only where `validateOutput` and an outputSchema are. */
  readonly validateResult?: (tool: string, structuredContent: unknown) => Flaw | Promise<Flaw>;
  /** How long a cancelled call holds its slot at most; default 2000. */
  readonly cancelGraceMs?: number;
  /** Silence on the probe that means a legacy child; default 2000. */
  readonly probeTimeoutMs?: number;
  /** Unsent text towards the child beyond which calls are refused; default 1 MiB. */
  readonly maxOutputBytes?: number;
}

export interface SessionEvents {
  /** The child's tool list changed; list again. */
  readonly toolsChanged: () => void;
  /** `accepting` became true again. */
  readonly accepting: () => void;
  /** Nobody waits for a call any more: it was answered, or ended by `error`. */
  readonly called?: (tool: string, durationMs: number, error: unknown, isError: boolean) => void;
  /** The child broke the protocol beyond repair; all calls have failed already; kill it. */
  readonly broken: (why: string) => void;
}

/** What a session had to overlook so far. */
export type SessionCounters = Readonly<RpcCounters>;

/** When one of the streams has ended, the child's exit is normally known within this time. */
const HALF_CLOSED_MS = 1_000;
/** `00-` trace id `-` parent id `-` flags. */
const TRACEPARENT_LENGTH = 55;
const TOOLS_CHANGED = 'notifications/tools/list_changed';

/**
 * The MCP conversation with one child over its pipes, in either era: handshake, tools/list, tools/call with
 * cancellation. It knows no process: whoever owns the child closes the session when the child ends.
 *
 * A call costs one record, one promise and one abort listener; its result is handed on as the child's bytes.
 */
export class McpSession {
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #connection: RpcConnection;
  readonly #cancelGraceMs: number;
  readonly #host: CallHost;
  /** Tools whose results are checked. */
  #checked: ReadonlySet<string> = new Set();
  #era: 'legacy' | 'modern' = 'legacy';
  /** Calls whose grace time passed without an answer; the child may still be at them. */
  #abandoned = 0;
  #ping: Exchange | undefined;
  #ending = false;
  #closed: ((executed: Executed) => BridgeError) | undefined;
  #halfClosed: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions, events: SessionEvents) {
    this.#options = options;
    this.#events = events;
    this.#cancelGraceMs = options.cancelGraceMs ?? 2_000;
    this.#connection = new RpcConnection(
      {
        input: options.input,
        output: options.output,
        maxLineBytes: options.maxLineBytes,
        maxOutputBytes: options.maxOutputBytes ?? 1024 * 1024,
        marks: { flag: 'isError', tag: 'resultType' },
      },
      {
        notification: (method) => {
          if (method === TOOLS_CHANGED) events.toolsChanged();
        },
        accepting: events.accepting,
        halfClosed: (which) => this.#onHalfClosed(which),
        broken: (why) => this.#break(why),
      },
    );
    this.#host = {
      cancel: (call) => this.#cancel(call),
      late: (abandoned) => {
        this.#connection.counters.lateAnswers++;
        if (abandoned) this.#abandoned--;
      },
      ended: calledOf(events),
      flaw: (call, result) => (this.#checked.has(call.tool) && !result.flag ? this.#flaw(call, result) : undefined),
    };
  }

  get counters(): SessionCounters {
    return this.#connection.counters;
  }

  /** False while unsent bytes towards the child exceed their bound, and once the session ends. */
  get accepting(): boolean {
    return !this.#ending && this.#closed === undefined && this.#halfClosed === undefined && this.#connection.accepting;
  }

  /**
   * The handshake; nothing else may be asked before it is done.
   * @throws BridgeError child_protocol_error; the error given to `close`; `signal.reason`
   */
  async open(signal: AbortSignal): Promise<SessionInfo> {
    signal.throwIfAborted();
    const asked: Exchange[] = [];
    const give = (): void => {
      for (const exchange of asked) this.#abandon(exchange, signal.reason);
    };
    signal.addEventListener('abort', give, { once: true });
    try {
      const { listChanged, ...info } = await shakeHands(
        {
          ask: (method, params) => {
            const exchange = this.#ask(method, params);
            if (signal.aborted) this.#abandon(exchange, signal.reason);
            asked.push(exchange);
            return exchange;
          },
          notify: (method) => this.#connection.notify(method),
        },
        {
          era: this.#options.era,
          memory: this.#options.eraMemory,
          probeTimeoutMs: this.#options.probeTimeoutMs ?? 2_000,
        },
      );
      this.#era = info.era;
      // Its answer comes when the child ends the subscription, if ever; the notifications come before.
      if (info.era === 'modern' && listChanged) {
        this.#ask('subscriptions/listen', `{"notifications":{"toolsListChanged":true},"_meta":{${MODERN_META}}}`);
      }
      return info;
    } finally {
      signal.removeEventListener('abort', give);
    }
  }

  /** All pages of the child's list. @throws BridgeError child_protocol_error; the error given to `close`; `signal.reason` */
  async listTools(signal: AbortSignal): Promise<readonly ToolDefinition[]> {
    const tools = await listAllTools((method, params) => this.#askWithin(method, params, signal), this.#era);
    this.#checked = new Set(
      this.#options.validateOutput
        ? tools.filter((tool) => tool.outputSchema !== undefined).map((tool) => tool.name)
        : [],
    );
    return tools;
  }

  /**
   * One tools/call. `onFree` is called exactly once, when the child's slot is free again: with the answer, or
   * after a cancel with the end of the grace time, when the promise has long been rejected.
   *
   * @throws BridgeError worker_backpressure (executed no), child_crashed, child_protocol_error,
   * child_response_too_large, input_required_unsupported, invalid_arguments, unknown_tool, child_error; the
   * signal's reason when the call is cancelled, with executed `maybe` once it may have been sent
   */
  callTool(
    call: ToolCall,
    workerId: number,
    onFree: (end: SlotEnd) => void,
    attempt?: AttemptTrace,
  ): Promise<ToolResult> {
    const { signal } = call.abort;
    if (signal.aborted || !this.accepting) {
      onFree('answered');
      return Promise.reject(signal.aborted ? signal.reason : this.#refusal(workerId));
    }
    return new Promise((resolve, reject) => {
      const pending = new PendingCall(this.#host, call, workerId, onFree, resolve, reject);
      const trace = attempt === undefined ? call.trace : attempt.trace;
      this.#connection.send(pending, 'tools/call', callParams(call, trace, this.#era, this.#options.principalMeta));
      attempt?.sent(pending.id);
    });
  }

  /** The child is gone, or is being killed: every call fails now with `error(executed)`. Idempotent. */
  close(error: (executed: Executed) => BridgeError): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    clearTimeout(this.#halfClosed);
    for (const request of this.#connection.close()) {
      if (request instanceof PendingCall) request.lost(error(request.written ? 'maybe' : 'no'));
      else if (request instanceof Exchange) request.abandon(error('no'));
    }
  }

  /** Half-closes: takes no further call and ends the child's stdin once what is written has drained. */
  end(): void {
    this.#ending = true;
    this.#connection.end();
  }

  #ask(method: string, params: string): Exchange {
    const exchange = new Exchange();
    if (this.#closed !== undefined) exchange.abandon(this.#closed('no'));
    else this.#connection.send(exchange, method, params);
    return exchange;
  }

  async #askWithin(method: string, params: string, signal: AbortSignal): Promise<Reply> {
    signal.throwIfAborted();
    const exchange = this.#ask(method, params);
    const give = (): void => this.#abandon(exchange, signal.reason);
    signal.addEventListener('abort', give, { once: true });
    try {
      return await exchange.reply;
    } finally {
      signal.removeEventListener('abort', give);
    }
  }

  #abandon(exchange: Exchange, reason: unknown): void {
    if (!this.#connection.withdraw(exchange)) this.#connection.forget(exchange);
    exchange.abandon(reason);
  }

  #refusal(workerId: number): BridgeError {
    if (this.#closed !== undefined) return this.#closed('no');
    if (this.#ending || this.#halfClosed !== undefined) {
      return new BridgeError('child_crashed', 'the worker was ending before the call reached it', { workerId });
    }
    return new BridgeError('worker_backpressure', 'the worker does not read its input fast enough; try again', {
      workerId,
      retryAfterMs: 1_000,
    });
  }

  /** @returns true when the request was taken back before it left */
  #cancel(call: PendingCall): boolean {
    const connection = this.#connection;
    if (connection.withdraw(call)) return true;
    connection.notify('notifications/cancelled', `{"requestId":${call.id},"reason":"nobody waits for it any more"}`);
    this.#probeLife();
    call.heardAt = connection.heard;
    call.timer = setTimeout(() => this.#endGrace(call), this.#cancelGraceMs).unref();
    return false;
  }

  #endGrace(call: PendingCall): void {
    this.#abandoned++;
    if (call.heardAt === this.#connection.heard) call.release('silent');
    else call.release(this.#abandoned >= this.#options.concurrency ? 'overcommitted' : 'released');
  }

  /** A cancelled call is rightly never answered; this is, by a child that is alive. One at a time is enough. */
  #probeLife(): void {
    if (this.#ping !== undefined) return;
    const ping = this.#era === 'modern' ? this.#ask('server/discover', MODERN_PARAMS) : this.#ask('ping', '{}');
    this.#ping = ping;
    const done = (): void => {
      this.#ping = undefined;
    };
    ping.reply.then(done, done);
  }

  #flaw({ tool, looksOnly }: PendingCall, result: RpcResult): Flaw | Promise<Flaw> {
    const validate = this.#options.validateResult;
    if (validate === undefined) return undefined;
    const parsed = JSON.parse(Buffer.concat(result.body).toString('utf8')) as CheckedResult;
    if (looksOnly && parsed._meta?.['mcp-bridge-fleet/reconciled'] !== 'executed') return undefined;
    return validate(tool, parsed.structuredContent);
  }

  #onHalfClosed(which: 'input' | 'output'): void {
    if (this.#closed !== undefined || (this.#ending && which === 'output')) return;
    this.#halfClosed ??= setTimeout(
      () => this.#break(which === 'input' ? 'it closed its stdout and lives on' : 'it closed its stdin and lives on'),
      HALF_CLOSED_MS,
    ).unref();
  }

  #break(why: string): void {
    if (this.#closed !== undefined) return;
    this.close(
      (executed) => new BridgeError('child_protocol_error', `the worker broke the protocol: ${why}`, { executed }),
    );
    this.#events.broken(why);
  }
}

/** What is looked at in a result that is checked. */
interface CheckedResult {
  readonly structuredContent?: unknown;
  readonly _meta?: Readonly<Record<string, unknown>>;
}

function calledOf({ called }: SessionEvents): CallHost['ended'] {
  return called && ((call, durationMs, error, isError) => called(call.tool, durationMs, error, isError));
}

function callParams(
  call: ToolCall,
  trace: TraceContext | undefined,
  era: 'legacy' | 'modern',
  principalMeta: boolean,
): string {
  const leftMs = Math.max(0, Math.floor(call.arrivedAtMs + call.timeoutMs - performance.now()));
  let meta = `"mcp-bridge-fleet/deadlineMs":${leftMs}`;
  if (trace !== undefined) {
    const { traceparent } = trace;
    // Of this length it is hex and dashes; only a later version's may be longer, and hold anything.
    meta += `,"traceparent":${traceparent.length === TRACEPARENT_LENGTH ? `"${traceparent}"` : JSON.stringify(traceparent)}`;
    if (trace.tracestate !== undefined) meta += `,"tracestate":${JSON.stringify(trace.tracestate)}`;
    if (trace.baggage !== undefined) meta += `,"baggage":${JSON.stringify(trace.baggage)}`;
  }
  if (principalMeta) meta += `,"mcp-bridge-fleet/principal":${JSON.stringify(call.principal.id)}`;
  if (call.vendorKey !== undefined) meta += `,"mcp-bridge-fleet/idempotencyKey":"${call.vendorKey}"`;
  if (call.looksOnly) meta += ',"mcp-bridge-fleet/reconcile":true';
  if (era === 'modern') meta += `,${MODERN_META}`;
  return `{"name":${JSON.stringify(call.tool)},"arguments":${call.argumentsJson},"_meta":{${meta}}}`;
}
