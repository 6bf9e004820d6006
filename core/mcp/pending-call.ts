import type { CallReport, ToolCall, ToolResult } from '#core/call.ts';
import type { CancelSignal } from '#core/cancellation.ts';
import { BridgeError } from '#core/errors.ts';
import { PendingRequest, type RpcError, type RpcFailure, type RpcResult } from '#core/jsonrpc/request.ts';
import { INVALID_PARAMS, METHOD_NOT_FOUND } from '#core/mcp/protocol.ts';
import { printable } from '#core/printable.ts';

/**
 * How the slot of a call became free.
 *
 * - `answered`: the child answered (result or error), or the session ended, or the call was never sent;
 * - `released`: the grace time after a cancel is over and the child is alive;
 * - `silent`: it is over and the child has sent nothing at all since the cancel, not even the answer to our ping;
 * - `overcommitted`: it is over and `concurrency` calls are now abandoned in this worker.
 */
export type SlotEnd = 'answered' | 'released' | 'silent' | 'overcommitted';

/** What is wrong with a result, in one line; undefined when nothing is. */
export type Flaw = string | undefined;

/** What a pending call needs of its session. */
export interface CallHost {
  /** The call's client has given up: take the request back, or tell the child and start the grace time. */
  cancel(call: PendingCall): boolean;
  /** The answer to a cancelled call came after all. `abandoned`: after its grace time. */
  late(abandoned: boolean): void;
  /** What is wrong with a result, by the tool's output schema. */
  flaw(call: PendingCall, result: RpcResult): Flaw | Promise<Flaw>;
  /** Nobody waits for it any more: it was answered, or ended by `error`. */
  readonly ended: ((call: PendingCall, durationMs: number, error: unknown, isError: boolean) => void) | undefined;
}

/**
 * One tools/call on its way: the connection's record, the promise's ends and the abort listener in one object.
 * `waiting` → `over`, or `waiting` → `cancelled` → `over`, or … → `abandoned` → `over` when the answer comes later
 * still. The promise settles when `waiting` ends, the slot is freed when `waiting` or `cancelled` ends otherwise
 * than by a cancel.
 */
export class PendingCall extends PendingRequest {
  readonly tool: string;
  /** Its result may be a verdict instead of what the tool's output schema says. */
  readonly looksOnly: boolean;
  readonly workerId: number;
  /** `connection.heard` at the cancel. */
  heardAt = 0;
  timer: NodeJS.Timeout | undefined;
  #state: 'waiting' | 'cancelled' | 'abandoned' | 'over' = 'waiting';
  readonly #host: CallHost;
  readonly #report: CallReport;
  readonly #startedAtMs = performance.now();
  readonly #signal: CancelSignal;
  readonly #free: (end: SlotEnd) => void;
  readonly #resolve: (result: ToolResult) => void;
  readonly #reject: (reason: unknown) => void;

  constructor(
    host: CallHost,
    call: ToolCall,
    workerId: number,
    free: (end: SlotEnd) => void,
    resolve: (result: ToolResult) => void,
    reject: (reason: unknown) => void,
  ) {
    super();
    this.#host = host;
    this.#report = call.report;
    this.tool = call.tool;
    this.looksOnly = call.looksOnly === true;
    this.workerId = workerId;
    this.#signal = call.abort.signal;
    this.#free = free;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal.addEventListener('abort', this);
  }

  /** The abort listener. */
  handleEvent(): void {
    if (this.#state !== 'waiting') return;
    const { reason } = this.#signal;
    this.#signal.removeEventListener('abort', this);
    if (this.#host.cancel(this)) {
      this.#state = 'over';
      this.#measure(reason, false);
      this.#reject(reason);
      this.#free('answered');
      return;
    }
    this.#state = 'cancelled';
    this.#measure(reason, false);
    this.#reject(reason instanceof BridgeError ? sentBefore(reason, this.workerId) : reason);
  }

  /** The grace time is over. */
  release(end: SlotEnd): void {
    if (this.#state !== 'cancelled') return;
    this.#state = 'abandoned';
    this.timer = undefined;
    this.#free(end);
  }

  /** The session has ended. */
  lost(error: BridgeError): void {
    if (this.#state === 'waiting') this.#fail(error);
    else this.#late();
  }

  override answered(result: RpcResult): void {
    if (this.#state !== 'waiting') {
      this.#host.late(this.#state === 'abandoned');
      this.#late();
      return;
    }
    if (result.kind !== 'object') {
      this.#fail(this.#error('child_protocol_error', 'the worker answered with a result that is not an object'));
      return;
    }
    if (result.tag === 'input_required') {
      this.#fail(
        this.#error(
          'input_required_unsupported',
          'the tool asks for input in the middle of a call; there is nobody to ask',
        ),
      );
      return;
    }
    const flaw = this.#host.flaw(this, result);
    this.#signal.removeEventListener('abort', this);
    this.#state = 'over';
    if (flaw instanceof Promise) flaw.then((found) => this.#settle(result, found), this.#reject);
    else this.#settle(result, flaw);
    // The child is done, however long its result is looked at.
    this.#free('answered');
  }

  override refused(error: RpcError): void {
    if (this.#state !== 'waiting') {
      this.#host.late(this.#state === 'abandoned');
      this.#late();
      return;
    }
    this.#fail(this.#refusal(error));
  }

  override failed(failure: RpcFailure): void {
    if (this.#state !== 'waiting') {
      this.#host.late(this.#state === 'abandoned');
      this.#late();
      return;
    }
    switch (failure) {
      case 'shape':
        this.#fail(
          this.#error('child_protocol_error', 'the worker answered with something that is no JSON-RPC 2.0 response'),
        );
        return;
      case 'oversize':
        this.#fail(
          this.#error('child_response_too_large', 'the answer is longer than a worker may write; ask for less'),
        );
        return;
      case 'unwritten':
        this.#fail(
          new BridgeError('child_crashed', 'the worker was gone before the call reached it', {
            workerId: this.workerId,
          }),
        );
        return;
    }
  }

  #refusal({ code, message }: RpcError): BridgeError {
    const { workerId } = this;
    const said = printable(message);
    if (code === INVALID_PARAMS) {
      return new BridgeError('invalid_arguments', `the tool refused its arguments: ${said}`, { workerId });
    }
    if (code === METHOD_NOT_FOUND) {
      return new BridgeError('unknown_tool', `the worker does not know this tool: ${said}`, { workerId });
    }
    return new BridgeError('child_error', `the worker answered with JSON-RPC error ${code}: ${said}`, {
      executed: 'maybe',
      details: { rpcCode: code },
      workerId,
    });
  }

  #error(
    code: 'child_protocol_error' | 'child_response_too_large' | 'input_required_unsupported',
    message: string,
  ): BridgeError {
    return new BridgeError(code, message, { executed: 'maybe', workerId: this.workerId });
  }

  #settle(result: RpcResult, flaw: Flaw): void {
    if (flaw === undefined) {
      this.#measure(undefined, result.flag);
      this.#resolve({ body: result.body, length: result.length, isError: result.flag });
      return;
    }
    const error = this.#error('child_protocol_error', `the result does not fit the tool's output schema: ${flaw}`);
    this.#measure(error, false);
    this.#reject(error);
  }

  #fail(error: BridgeError): void {
    this.#signal.removeEventListener('abort', this);
    this.#state = 'over';
    this.#measure(error, false);
    this.#reject(error);
    this.#free('answered');
  }

  #measure(error: unknown, isError: boolean): void {
    const durationMs = performance.now() - this.#startedAtMs;
    this.#report.childMs += durationMs;
    this.#host.ended?.(this, durationMs, error, isError);
  }

  /** Nothing is left to wait for; the promise was settled by the cancel. */
  #late(): void {
    const freed = this.#state === 'abandoned';
    this.#state = 'over';
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!freed) this.#free('answered');
  }
}

/** The same refusal, from a call that had reached the child. */
function sentBefore(reason: BridgeError, workerId: number): BridgeError {
  return new BridgeError(reason.code, reason.message, {
    executed: 'maybe',
    workerId,
    cause: reason,
    ...(reason.retryAfterMs === undefined ? {} : { retryAfterMs: reason.retryAfterMs }),
    ...(reason.details === undefined ? {} : { details: reason.details }),
  });
}
