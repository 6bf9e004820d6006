import type { BridgeError } from '#core/errors.ts';

/**
 * One request as its door saw it, before anything is understood. There are two doors, node:http and Fetch's
 * Request, and everything behind them works on this alone.
 */
export interface Exchange {
  readonly method: string;
  /** The request-target as received: path and query, nothing decoded. */
  readonly target: string;
  /** `performance.now()` when it arrived. */
  readonly arrivedAtMs: number;
  /**
   * The address at the other end of the connection, '' where there is none or it is gone. Behind a front it is the
   * front's: what a header says of the caller's address, any caller can say.
   */
  readonly remoteAddress: string;
  /** True once nobody is left to read an answer. */
  readonly gone: boolean;
  /** The number of header lines, and the bytes of their names and values. */
  headerSize(): { readonly count: number; readonly bytes: number };
  /** A header by its lower-case name; repeated ones joined with `, ` where they may be repeated. */
  header(name: string): string | undefined;
  /** A header that must not be repeated and was: `host`, `authorization` or `content-type`. */
  repeatedHeader(): string | undefined;
  /** The declared length; undefined when chunked, 0 when there is no body. */
  bodyLength(): number | undefined;
  /**
   * The whole body, called at most once; at once where it is there. Reads at most 64 KiB beyond `maxBytes`.
   * @throws BridgeError body_too_large, or what `stopReading` was given; rejects with CLIENT_GONE when the client leaves
   */
  readBody(maxBytes: number): Promise<Buffer> | Buffer;
  /** Fails a `readBody` that still waits. */
  stopReading(error: BridgeError): void;
  /** Calls `listener` once if the client leaves before the answer was sent; one listener, set once. */
  onGone(listener: () => void): void;
}

/** An answer before it is written: its headers end with Content-Length. */
export interface Answer {
  readonly status: number;
  /** Name, value, name, value … as node:http takes it. */
  readonly headers: string[];
  /** Text with one byte per character (latin1), or bytes in pieces. */
  readonly body: string | readonly Uint8Array[];
}
