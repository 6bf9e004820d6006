import type { JsonKind } from '#core/json/scanner.ts';

/** The `result` of an answer, unparsed. */
export interface RpcResult {
  /** The JSON text of the value, possibly in several pieces, valid JSON and UTF-8. */
  readonly body: readonly Uint8Array[];
  /** Sum of the pieces' lengths. */
  readonly length: number;
  readonly kind: JsonKind;
  /** The connection's flag member is literally `true` in it. */
  readonly flag: boolean;
  /** The value of the connection's tag member in it. */
  readonly tag: string | undefined;
}

/** The `error` of an answer. */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data: unknown;
}

/**
 * Why there will be no answer though the connection goes on: its answer was no JSON-RPC (`shape`), was longer
 * than the cap (`oversize`), or no byte of the request could be written (`unwritten`).
 */
export type RpcFailure = 'shape' | 'oversize' | 'unwritten';

/**
 * One request of ours and who waits for it: a record rather than a promise, so that a call costs one object.
 * The connection calls exactly one of `answered`, `refused` and `failed`, at most once, synchronously in the
 * order of arrival; none of them once it was withdrawn, forgotten, or taken by `close`.
 */
export abstract class PendingRequest {
  /** Set by the connection; never used twice on it. */
  id = 0;
  /** True from the moment its bytes, or some of them, may have left for the peer. */
  written = false;

  abstract answered(result: RpcResult): void;
  abstract refused(error: RpcError): void;
  abstract failed(failure: RpcFailure): void;
}
