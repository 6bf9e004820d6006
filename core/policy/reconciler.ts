import type { Invoke, ToolCall, ToolResult } from '#core/call.ts';
import { BridgeError } from '#core/errors.ts';
import { type Finding, readFinding } from '#core/policy/finding.ts';
import { decodeOutcome, encodeOutcome } from '#core/policy/idempotency-outcome.ts';
import {
  lookFailed,
  notExecuted,
  noVerdict,
  recordUnavailable,
  settledByAnother,
  stillUnknown,
} from '#core/policy/idempotency-problems.ts';
import type { Recorder } from '#core/policy/idempotency-recorder.ts';
import { fingerprintOf, leaseMsOf, type Owned, requestOf, settledInTime } from '#core/policy/keyed-call.ts';
import { toolFailureOf } from '#core/policy/tool-failure.ts';
import type { Claim, IdempotencyStore } from '#core/store/idempotency-store.ts';

/** What was found of calls that were asked about; `failed`: nobody could look. */
export type ReconcilerStats = Readonly<Record<Finding['found'], number>>;

/** What a key stands for of which it may be asked what became of it: nothing, a lost call, or one that ended unknown. */
export type InDoubt = Extract<Claim, { state: 'claimed' | 'lost' | 'done' }>;

/** Whether a recorded outcome leaves open what happened: a failure on the way, or a tool that says so itself. */
export function isInDoubt(encoded: Uint8Array): boolean {
  const outcome = decodeOutcome(encoded);
  if (outcome === undefined) return false;
  if ('error' in outcome) return outcome.error.executed === 'maybe';
  return outcome.result.isError && toolFailureOf(outcome.result).executed === 'maybe';
}

/** Whether a tool can be asked what became of a call: the operator says so, and so does the tool's server. */
export function canLook({ policy, definition }: ToolCall): boolean {
  return policy.reconcile && definition.reconciles === true;
}

/**
 * Finds out what became of a call of unknown outcome, by having its tool look. Whoever asks owns the record meanwhile,
 * so that one looks at a time and nobody runs the call.
 *
 * - It happened: the result is recorded, in place of what was there, and answered.
 * - It did not: the key is free, as if it had never been used.
 * - Nobody can say, or nobody could look: the record is what it was. A key without a record counts as lost from then
 *   on: who was told that its call may have happened must not run it by accident.
 */
export class Reconciler {
  readonly #store: IdempotencyStore;
  readonly #recorder: Recorder;
  readonly #found: Record<Finding['found'], number> = { executed: 0, not_executed: 0, unknown: 0, failed: 0 };

  constructor(store: IdempotencyStore, recorder: Recorder) {
    this.#store = store;
    this.#recorder = recorder;
  }

  get stats(): ReconcilerStats {
    return { ...this.#found };
  }

  /**
   * @param owned the key and the token that claimed it, or that takes it over
   * @param claim what the key stands for
   * @throws BridgeError not_executed, outcome_unknown, idempotency_in_progress, idempotency_store_unavailable;
   * child_protocol_error where the tool does not say what it found
   */
  async reconcile(next: Invoke, call: ToolCall, owned: Owned, claim: InDoubt): Promise<ToolResult> {
    if (claim.state !== 'claimed')
      await this.#takeOver(call, owned, claim.state === 'done' ? claim.outcome : undefined);
    const finding = await this.#look(next, call, owned);
    this.#found[finding?.found ?? 'failed']++;
    if (finding?.found === 'executed') {
      const { result } = finding;
      const outcome = encodeOutcome({ result, first: requestOf(call) });
      await settledInTime(call, this.#recorder.settle({ ...owned, outcome }));
      call.report.source = 'reconciled';
      return result;
    }
    if (finding?.found === 'not_executed') {
      await settledInTime(call, this.#recorder.settle({ ...owned, outcome: undefined }));
      throw notExecuted();
    }
    await settledInTime(call, this.#giveBack(owned));
    if (finding === undefined) throw noVerdict();
    throw finding.found === 'unknown' ? stillUnknown(finding.looked) : lookFailed(whyOf(finding));
  }

  /** @throws BridgeError also where the call ends while the store is asked */
  #takeOver(call: ToolCall, owned: Owned, expected: Uint8Array | undefined): Promise<void> {
    const { signal } = call.abort;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(unlooked(signal.reason));
      signal.addEventListener('abort', onAbort);
      this.#store.takeOver(owned.key, fingerprintOf(call), leaseMsOf(call), owned.token, expected).then(
        (taken) => {
          signal.removeEventListener('abort', onAbort);
          if (signal.aborted && taken) void this.#giveBack(owned);
          if (taken) resolve();
          else reject(settledByAnother());
        },
        () => {
          signal.removeEventListener('abort', onAbort);
          reject(recordUnavailable());
        },
      );
    });
  }

  /** @throws BridgeError outcome_unknown where nobody could look; what is no BridgeError is thrown as it is */
  async #look(next: Invoke, call: ToolCall, owned: Owned): Promise<Finding | undefined> {
    try {
      return readFinding(await next({ ...call, looksOnly: true, vendorKey: owned.key, effect: 'read' }));
    } catch (thrown) {
      this.#found.failed++;
      await settledInTime(call, this.#giveBack(owned));
      throw unlooked(thrown);
    }
  }

  /** Never rejects: where the store does not take it, the lease ends by itself. */
  #giveBack({ key, token }: Owned): Promise<void> {
    return this.#store.giveBack(key, token).catch(() => {});
  }
}

/** A failure before anybody has looked, as the caller must read it: it says nothing of the first call. */
export function unlooked(thrown: unknown): unknown {
  return thrown instanceof BridgeError ? lookFailed(`${thrown.code}, ${thrown.message}`, thrown) : thrown;
}

function whyOf({ code, message }: Extract<Finding, { found: 'failed' }>): string {
  return [code === '' ? 'tool_error' : code, message].filter((part) => part !== '').join(', ');
}
