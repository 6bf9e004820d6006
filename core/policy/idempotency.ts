import { hash, randomUUID } from 'node:crypto';
import type { Invoke, Policy, ToolCall, ToolResult } from '#core/call.ts';
import { BridgeError, internalError } from '#core/errors.ts';
import { decodeOutcome, encodeOutcome } from '#core/policy/idempotency-outcome.ts';
import {
  cannotBeAsked,
  givenUp,
  inProgress,
  keyRequired,
  keyReused,
  neverRecorded,
  outcomeLost,
  recordNotUnderstood,
  recordUnavailable,
  storeUnavailable,
} from '#core/policy/idempotency-problems.ts';
import { Recorder, type RecorderOptions, type RecorderStats } from '#core/policy/idempotency-recorder.ts';
import { fingerprintOf, leaseMsOf, type Owned, requestOf, settledInTime } from '#core/policy/keyed-call.ts';
import { canLook, isInDoubt, Reconciler, type ReconcilerStats, unlooked } from '#core/policy/reconciler.ts';
import { toolFailureOf } from '#core/policy/tool-failure.ts';
import { type Claim, type IdempotencyStore, RECORD_TTL_MS } from '#core/store/idempotency-store.ts';

export type IdempotencyOptions = RecorderOptions;

export interface IdempotencyStats extends RecorderStats {
  /** What keys stood for when calls came with them. */
  readonly claims: Readonly<Record<Claim['state'], number>>;
  /** Answers told again from a record. */
  readonly replayed: number;
  /** Claims that the store could not answer. */
  readonly unavailable: number;
  /** What was found of calls that were asked about with `Prefer: reconcile`. */
  readonly reconciled: ReconcilerStats;
}

/**
 * Runs a keyed call once. The first call with a key claims it, runs and records how it ended; every later one is told
 * the same. Calls without a key pass through untouched, except where their tool requires one.
 *
 * - A result, and every failure after which the tool may have run, is recorded; a failure with executed `no`, ours or
 *   one that the tool answers, releases the key, so that a later try runs.
 * - The answer waits for its record, so that an immediate repeat finds it, but not beyond the deadline; a record that
 *   the store cannot take is tried again in the background and costs the caller nothing.
 * - Where the tool hands keys to its vendor, the call goes on with {@link ToolCall.vendorKey} as `idempotent`: the
 *   record's own name, so that one can be found by the other. It tells nothing of principal and key.
 *   A tool that only looks back gets the key too, to mark what it does with it, and stays a `write`.
 * - A call that asks what became of an earlier one (`reconcile`) is never run, see {@link Reconciler}; where the outcome
 *   is known it is told as to any other.
 *
 * A claim is not trusted to have failed because its answer did not come: what the store may have taken is released
 * as soon as the store is back.
 *
 * @throws BridgeError idempotency_key_required, idempotency_in_progress, idempotency_key_reused (executed `no`), outcome_unknown (`maybe`),
 * idempotency_store_unavailable (`no`; only where the manifest says `write`, other tools run without a record), to a
 * call that asks not_executed (`no`), and whatever the call throws, now or then
 */
export class Idempotency {
  readonly #store: IdempotencyStore;
  readonly #recorder: Recorder;
  readonly #reconciler: Reconciler;
  readonly #now: () => number;
  readonly #claims: Record<Claim['state'], number> = { claimed: 0, in_flight: 0, lost: 0, done: 0, reused: 0 };
  #replayed = 0;
  #unavailable = 0;

  constructor(store: IdempotencyStore, options: IdempotencyOptions = {}) {
    this.#store = store;
    this.#recorder = new Recorder(store, options);
    this.#reconciler = new Reconciler(store, this.#recorder);
    this.#now = options.now ?? (() => performance.now());
  }

  get stats(): IdempotencyStats {
    return {
      claims: { ...this.#claims },
      replayed: this.#replayed,
      unavailable: this.#unavailable,
      reconciled: this.#reconciler.stats,
      ...this.#recorder.stats,
    };
  }

  readonly policy: Policy = (next) => (call) => {
    if (call.idempotencyKey !== undefined) return this.#keyed(next, call, call.idempotencyKey);
    return call.policy.idempotencyKey === 'required' ? Promise.reject(keyRequired()) : next(call);
  };

  /** Gives the records that the store has not taken yet a last chance of 500 ms. Idempotent, never rejects. */
  close(): Promise<void> {
    return this.#recorder.close();
  }

  async #keyed(next: Invoke, call: ToolCall, givenKey: string): Promise<ToolResult> {
    const key = hash('sha256', JSON.stringify([call.principal.id, call.bridge, call.tool, givenKey]));
    const owned: Owned = { key, token: randomUUID(), claimed: true, expiresAtMs: this.#now() + RECORD_TTL_MS };
    if (call.reconcile) return this.#askedAbout(next, call, owned);
    const claim = await this.#claim(call, owned);
    const { vendorKey, reconcile } = call.policy;
    const handed = vendorKey || reconcile ? handedDown(call, key) : call;
    if (claim === undefined) {
      if (call.policy.effect === 'write') throw storeUnavailable();
      return next(handed);
    }
    return claim.state === 'claimed' ? this.#run(next, handed, owned) : this.#known(call, claim);
  }

  /** Tells what became of the call; never runs it. */
  async #askedAbout(next: Invoke, call: ToolCall, owned: Owned): Promise<ToolResult> {
    const claim = await this.#claim(call, owned).catch((reason: unknown) => {
      throw unlooked(reason);
    });
    if (claim === undefined) throw recordUnavailable();
    const isOpen =
      claim.state === 'claimed' || claim.state === 'lost' || (claim.state === 'done' && isInDoubt(claim.outcome));
    if (isOpen && canLook(call)) return this.#reconciler.reconcile(next, call, owned, claim);
    if (claim.state === 'claimed') {
      await settledInTime(call, this.#release(owned));
      throw neverRecorded();
    }
    if (claim.state === 'lost') throw cannotBeAsked();
    return this.#known(call, claim);
  }

  /**
   * Asks the store, but no longer than until the call ends.
   * @returns undefined while the store is away
   * @throws the reason of the call's signal; nothing has run then
   */
  #claim(call: ToolCall, owned: Owned): Promise<Claim | undefined> {
    const { signal } = call.abort;
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => reject(signal.reason);
      signal.addEventListener('abort', onAbort);
      this.#store.claim(owned.key, fingerprintOf(call), leaseMsOf(call), owned.token).then(
        (claim) => {
          signal.removeEventListener('abort', onAbort);
          this.#claims[claim.state]++;
          if (signal.aborted && claim.state === 'claimed') void this.#release(owned);
          resolve(claim);
        },
        () => {
          signal.removeEventListener('abort', onAbort);
          this.#unavailable++;
          void this.#release({ ...owned, claimed: false });
          resolve(undefined);
        },
      );
    });
  }

  async #run(next: Invoke, call: ToolCall, owned: Owned): Promise<ToolResult> {
    let result: ToolResult;
    try {
      result = await next(call);
    } catch (thrown) {
      const error = asBridgeError(thrown, call);
      await settledInTime(
        call,
        error.executed === 'no'
          ? this.#release(owned)
          : this.#recorder.settle({ ...owned, outcome: encodeOutcome({ error, first: requestOf(call) }) }),
      );
      // Whoever left is told nothing, but counted as one who left.
      throw isDeparture(thrown, call) ? thrown : error;
    }
    await settledInTime(
      call,
      result.isError && toolFailureOf(result).executed === 'no'
        ? this.#release(owned)
        : this.#recorder.settle({ ...owned, outcome: encodeOutcome({ result, first: requestOf(call) }) }),
    );
    return result;
  }

  /** The answer of a call that did not claim its key. */
  #known(call: ToolCall, claim: Exclude<Claim, { state: 'claimed' }>): ToolResult {
    switch (claim.state) {
      case 'done':
        return this.#replay(call, claim.outcome);
      case 'in_flight':
        throw inProgress(claim.leaseLeftMs);
      case 'reused':
        throw keyReused();
      case 'lost':
        throw outcomeLost(canLook(call));
    }
  }

  #replay(call: ToolCall, encoded: Uint8Array): ToolResult {
    const outcome = decodeOutcome(encoded);
    if (outcome === undefined) throw recordNotUnderstood();
    this.#replayed++;
    call.report.source = 'record';
    call.report.first = outcome.first;
    if ('error' in outcome) throw outcome.error;
    return outcome.result;
  }

  #release(owned: Owned): Promise<void> {
    return this.#recorder.settle({ ...owned, outcome: undefined });
  }
}

function handedDown(call: ToolCall, vendorKey: string): ToolCall {
  return { ...call, vendorKey, effect: call.policy.vendorKey && call.effect === 'write' ? 'idempotent' : call.effect };
}

/** The client's departure is what ended the call, and no error of ours says how far it had come. */
function isDeparture(thrown: unknown, call: ToolCall): boolean {
  return !(thrown instanceof BridgeError) && call.abort.signal.aborted && thrown === call.abort.signal.reason;
}

/** What is thrown as it will be told again: anything that is no BridgeError is an error of ours, after which nobody knows. */
function asBridgeError(thrown: unknown, call: ToolCall): BridgeError {
  if (thrown instanceof BridgeError) return thrown;
  if (isDeparture(thrown, call)) return givenUp();
  return internalError(thrown);
}
