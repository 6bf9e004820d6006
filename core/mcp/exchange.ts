import { PendingRequest, type RpcError, type RpcFailure, type RpcResult } from '#core/jsonrpc/request.ts';

/** What became of one of the session's own requests. */
export type Reply =
  | { readonly kind: 'result'; readonly value: Readonly<Record<string, unknown>>; readonly bytes: number }
  | { readonly kind: 'error'; readonly error: RpcError }
  | { readonly kind: 'malformed'; readonly why: string };

const MALFORMED = {
  shape: 'the answer is no JSON-RPC 2.0 response',
  oversize: 'the answer is longer than a line may be',
  unwritten: 'the worker no longer reads its input',
} as const satisfies Record<RpcFailure, string>;

/**
 * One of the session's own requests (handshake, tools/list, ping) and its reply, parsed. The reply rejects only
 * by `abandon`; nobody has to be listening.
 */
export class Exchange extends PendingRequest {
  readonly reply: Promise<Reply>;
  readonly #resolve: (reply: Reply) => void;
  readonly #reject: (reason: unknown) => void;

  constructor() {
    super();
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    this.reply = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    promise.catch(() => {});
  }

  override answered(result: RpcResult): void {
    if (result.kind !== 'object') {
      this.#resolve({ kind: 'malformed', why: 'the result is not an object' });
      return;
    }
    const text = Buffer.concat(result.body).toString('utf8');
    this.#resolve({ kind: 'result', value: JSON.parse(text) as Record<string, unknown>, bytes: result.length });
  }

  override refused(error: RpcError): void {
    this.#resolve({ kind: 'error', error });
  }

  override failed(failure: RpcFailure): void {
    this.#resolve({ kind: 'malformed', why: MALFORMED[failure] });
  }

  /** Nobody will answer, or nobody waits any more. */
  abandon(reason: unknown): void {
    this.#reject(reason);
  }
}
