import type { ToolAddress } from './address.ts';
import { bodyTooLarge } from './body-too-large.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { PlainHead } from './plain-head.ts';

/** What a plain exchange asks of the connection that it came by. */
export interface PlainExchangeOwner {
  readonly remoteAddress: string;
  /** Writes the answer of the exchange. */
  send(answer: Answer): void;
}

/** The door of plainly written calls: a head and a body that are there as a whole, and the place for the answer. */
export class PlainExchange implements Exchange {
  readonly method = 'POST';
  readonly target: string;
  readonly address: ToolAddress;
  readonly arrivedAtMs: number;
  readonly #head: PlainHead;
  readonly #body: Buffer;
  readonly #owner: PlainExchangeOwner;
  #gone = false;
  #onGone: (() => void) | undefined;

  constructor(head: PlainHead, body: Buffer, arrivedAtMs: number, owner: PlainExchangeOwner) {
    this.target = head.target;
    this.address = head.address;
    this.arrivedAtMs = arrivedAtMs;
    this.#head = head;
    this.#body = body;
    this.#owner = owner;
  }

  get remoteAddress(): string {
    return this.#owner.remoteAddress;
  }

  get gone(): boolean {
    return this.#gone;
  }

  headerSize(): { readonly count: number; readonly bytes: number } {
    return { count: this.#head.headers.length / 2, bytes: this.#head.length };
  }

  header(name: string): string | undefined {
    const { headers } = this.#head;
    for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1];
    return undefined;
  }

  /** A head that repeats a header is not plain. */
  repeatedHeader(): undefined {
    return undefined;
  }

  bodyLength(): number {
    return this.#head.bodyLength;
  }

  readBody(maxBytes: number): Buffer {
    if (this.#body.length > maxBytes) throw bodyTooLarge(maxBytes);
    return this.#body;
  }

  /** Nothing is read any more. */
  stopReading(): void {}

  onGone(listener: () => void): void {
    if (this.#gone) listener();
    else this.#onGone = listener;
  }

  /** Writes the answer; nothing where the client is gone (undefined). */
  send(answer: Answer | undefined): void {
    if (answer !== undefined && !this.#gone) this.#owner.send(answer);
  }

  /** Nobody is left to read an answer. Idempotent. */
  leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#onGone?.();
  }
}
