/**
 * The longest outcome a store takes: what a child may write on one line (8 MiB) with room for its head. Who records
 * decides what happens to a longer one.
 */
export const MAX_OUTCOME_BYTES = 9 * 1024 * 1024;

/** How long a record is kept, from its claim. */
export const RECORD_TTL_MS = 24 * 60 * 60 * 1000;

/** What a key stands for when somebody comes with it. */
export type Claim =
  /** Nobody had it: the caller runs, and owns the record with the token it came with. */
  | { readonly state: 'claimed' }
  /** Its owner, or who took it over, is still within its lease. */
  | { readonly state: 'in_flight'; readonly leaseLeftMs: number }
  /** The lease ran out without an outcome: it may have run, or may still be recorded by a living owner. */
  | { readonly state: 'lost' }
  /** It ran; `outcome` is what `complete` was given. */
  | { readonly state: 'done'; readonly outcome: Uint8Array }
  /** The key was used with another fingerprint. */
  | { readonly state: 'reused' };

/**
 * Records of keyed calls, shared by everybody who uses the same store. Every method is atomic, time is the store's
 * own, and a record is kept for 24 h from its claim.
 *
 * Every method @throws StoreUnavailableError where the store is away; what it did then is not known.
 */
export interface IdempotencyStore {
  /**
   * Takes the key, or says what it stands for. `key` is already scoped by principal, bridge and tool.
   * @param fingerprint of the arguments: the same key with another one is `reused`
   * @param leaseMs how long the owner may take before the key counts as `lost`
   * @param token the claimer's own, never used before. It is the claimer who makes it, so that a claim whose answer
   * got lost (the store took it and was away before it said so) can be completed or released all the same.
   */
  claim(key: string, fingerprint: string, leaseMs: number, token: string): Promise<Claim>;
  /**
   * Records how it ended, also after the lease ran out. The record keeps its age. What is recorded stays: doing it
   * again is fine and changes nothing. `outcome` may be kept as it is, so nobody writes to it afterwards.
   * @throws RangeError when it is longer than {@link MAX_OUTCOME_BYTES}
   * @returns false when the record is no longer this owner's (expired, or taken over): nothing was written
   */
  complete(key: string, token: string, outcome: Uint8Array): Promise<boolean>;
  /**
   * Forgets the key: the call did not run. Nothing happens where the record is no longer this owner's, or where an
   * outcome has been recorded by it.
   */
  release(key: string, token: string): Promise<void>;
  /**
   * Makes somebody else the owner of a record, for a lease: of a lost one, or of one that is done with exactly this
   * outcome. Until the lease ends the key is `in_flight`; the new owner may complete it, in place of the old outcome
   * too, or release it. Where it does neither, the record is what it was once the lease has ended: who takes over and
   * dies changes nothing. What an owner before it says late is refused.
   * @param expected the outcome that the record has; undefined: it is lost
   * @returns false when the record is not like that, or no longer: nothing was changed
   */
  takeOver(
    key: string,
    fingerprint: string,
    leaseMs: number,
    token: string,
    expected: Uint8Array | undefined,
  ): Promise<boolean>;
  /**
   * Ends this owner's lease now: what was taken over is what it was, what was claimed is lost. Nothing happens where
   * the record is no longer this owner's, or where an outcome has been recorded by it.
   */
  giveBack(key: string, token: string): Promise<void>;
}
