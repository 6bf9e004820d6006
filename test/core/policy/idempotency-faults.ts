import type { Claim, IdempotencyStore } from '#core/store/idempotency-store.ts';
import { StoreUnavailableError } from '#core/store/store-unavailable.ts';

/**
 * A store in front of another one that fails as told: `away` reaches nothing, `mute` does its work and is away before
 * it says so, `slow` answers when `resume` is called.
 */
export class FaultyStore implements IdempotencyStore {
  state: 'up' | 'away' | 'mute' | 'slow' = 'up';
  /** Every operation that was asked for, in order. */
  readonly asked: string[] = [];
  readonly leases: number[] = [];
  readonly keys: string[] = [];
  /** What another release, or a client of Redis, would have made of it. */
  rewrite: (outcome: Uint8Array) => Uint8Array = (outcome) => outcome;
  readonly #inner: IdempotencyStore;
  #resumed = Promise.withResolvers<void>();

  constructor(inner: IdempotencyStore) {
    this.#inner = inner;
  }

  claim(key: string, fingerprint: string, leaseMs: number, token: string): Promise<Claim> {
    this.leases.push(leaseMs);
    this.keys.push(key);
    return this.#do('claim', () => this.#inner.claim(key, fingerprint, leaseMs, token));
  }

  complete(key: string, token: string, outcome: Uint8Array): Promise<boolean> {
    return this.#do('complete', () => this.#inner.complete(key, token, this.rewrite(outcome)));
  }

  release(key: string, token: string): Promise<void> {
    return this.#do('release', () => this.#inner.release(key, token));
  }

  takeOver(...args: Parameters<IdempotencyStore['takeOver']>): Promise<boolean> {
    return this.#do('takeOver', () => this.#inner.takeOver(...args));
  }

  giveBack(key: string, token: string): Promise<void> {
    return this.#do('giveBack', () => this.#inner.giveBack(key, token));
  }

  /** Everything that was slow is done now, in order. */
  resume(): void {
    this.state = 'up';
    this.#resumed.resolve();
    this.#resumed = Promise.withResolvers();
  }

  async #do<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.asked.push(name);
    const { state } = this;
    if (state === 'away') throw new StoreUnavailableError('away');
    if (state === 'slow') await this.#resumed.promise;
    const value = await work();
    if (state === 'mute') throw new StoreUnavailableError('mute');
    return value;
  }
}
