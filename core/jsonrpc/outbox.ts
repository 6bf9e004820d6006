import type { Writable } from 'node:stream';
import type { PendingRequest } from '#core/jsonrpc/request.ts';

export interface OutboxEvents {
  /** The backlog fell below its bound again. */
  readonly drained: () => void;
  /** None of this request's bytes was written, nor ever will be. */
  readonly unwritten: (request: PendingRequest) => void;
  /** The peer no longer reads: nothing can be sent any more. */
  readonly broken: () => void;
}

/** At this backlog a write is not put off to the end of the tick. */
const EAGER_CHARS = 64 * 1024;

/**
 * The only queue on the way to the peer. The lines of one tick leave in one write, and no write is begun while
 * another is unfinished, so that what waits here has certainly not been sent: it can be taken back, and it may
 * safely run elsewhere should the peer die.
 *
 * A batch whose write fails at once counts as unsent too: Node tries write(2) synchronously, and an error such
 * as EPIPE then means that no byte was taken. A write that fails later may have been taken in part.
 */
export class Outbox {
  readonly #output: Writable;
  readonly #maxUnsent: number;
  readonly #events: OutboxEvents;
  /** The lines waiting, and whose they are; '' for one that was taken back. */
  #lines: string[] = [];
  #owners: (PendingRequest | undefined)[] = [];
  /** UTF-16 units in `#lines`. */
  #waiting = 0;
  /** The same of the write under way. */
  #writing = 0;
  #scheduled: NodeJS.Immediate | undefined;
  #full = false;
  #state: 'open' | 'ending' | 'closed' = 'open';
  readonly #flush = (): void => this.flush();
  readonly #written = (error?: Error | null): void => this.#onWritten(error ?? undefined);

  constructor(output: Writable, maxUnsent: number, events: OutboxEvents) {
    this.#output = output;
    this.#maxUnsent = maxUnsent;
    this.#events = events;
    output.on('error', () => this.#break());
  }

  /** False while the unsent text exceeds its bound, and for good once nothing can be sent. */
  get accepting(): boolean {
    return !this.#full && this.#state === 'open';
  }

  /** Queues one line (its newline included), `now` to send it in this tick; the caller has looked at `accepting`. */
  push(line: string, owner?: PendingRequest, now = false): void {
    if (this.#state === 'closed') return;
    this.#lines.push(line);
    this.#owners.push(owner);
    this.#waiting += line.length;
    // One line may pass the bound, so that a line longer than the bound can be sent at all.
    if (this.#waiting + this.#writing > this.#maxUnsent) this.#full = true;
    if (this.#writing > 0) return;
    if (now || this.#waiting >= EAGER_CHARS) this.flush();
    else this.#scheduled ??= setImmediate(this.#flush);
  }

  /** Takes a line back. @returns false when it is no longer here */
  withdraw(owner: PendingRequest): boolean {
    if (owner.written) return false;
    const at = this.#owners.lastIndexOf(owner);
    if (at === -1) return false;
    this.#waiting -= (this.#lines[at] as string).length;
    this.#lines[at] = '';
    this.#owners[at] = undefined;
    this.#checkDrained();
    return true;
  }

  flush(): void {
    if (this.#scheduled !== undefined) {
      clearImmediate(this.#scheduled);
      this.#scheduled = undefined;
    }
    if (this.#writing > 0 || this.#lines.length === 0) return;
    const output = this.#output;
    if (output.destroyed || !output.writable) {
      this.#break();
      return;
    }
    const owners = this.#owners;
    const text = this.#lines.length === 1 ? (this.#lines[0] as string) : this.#lines.join('');
    this.#lines = [];
    this.#owners = [];
    this.#waiting = 0;
    if (text === '') {
      this.#checkDrained();
      return;
    }
    for (const owner of owners) if (owner !== undefined) owner.written = true;
    this.#writing = text.length;
    output.write(text, this.#written);
    if (output.errored === null) return;
    for (const owner of owners) if (owner !== undefined) owner.written = false;
    this.#owners = owners;
    this.#break();
  }

  /** Sends what is queued, then ends the stream. */
  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.flush();
    this.#endWhenIdle();
  }

  /** Sends nothing more; what is queued is dropped without a word. */
  close(): void {
    this.#state = 'closed';
    this.#lines = [];
    this.#owners = [];
    this.#waiting = 0;
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
  }

  #onWritten(error: Error | undefined): void {
    this.#writing = 0;
    if (error !== undefined) {
      this.#break();
      return;
    }
    this.#checkDrained();
    this.flush();
    this.#endWhenIdle();
  }

  #endWhenIdle(): void {
    if (this.#state !== 'ending' || this.#writing > 0 || this.#lines.length > 0) return;
    this.#state = 'closed';
    this.#output.end();
  }

  #checkDrained(): void {
    // Half way down, so that it does not flutter at the bound.
    if (!this.#full || this.#waiting + this.#writing > this.#maxUnsent / 2) return;
    this.#full = false;
    if (this.#state === 'open') this.#events.drained();
  }

  #break(): void {
    if (this.#state === 'closed') return;
    const owners = this.#owners;
    this.close();
    for (const owner of owners) if (owner !== undefined) this.#events.unwritten(owner);
    this.#events.broken();
  }
}
