/** Some 100 bytes each. */
const MAX_KNOWN = 5_000;
/** Stands for a call without a key. */
const NO_KEY = '';

/**
 * Which call sent which message, as far as this process was told by Twilio: the last 5 000. A message that is known to
 * be another call's is not taken for the one that is looked for.
 */
export class KnownSends {
  readonly #keyBySid = new Map<string, string>();
  readonly #sidByKey = new Map<string, string>();

  remember(key: string | undefined, sid: string): void {
    this.#keyBySid.set(sid, key ?? NO_KEY);
    if (key !== undefined) this.#sidByKey.set(key, sid);
    if (this.#keyBySid.size <= MAX_KNOWN) return;
    const [oldest] = this.#keyBySid;
    if (oldest === undefined) return;
    this.#keyBySid.delete(oldest[0]);
    if (this.#sidByKey.get(oldest[1]) === oldest[0]) this.#sidByKey.delete(oldest[1]);
  }

  /** The message of this key; undefined where this process does not know. */
  sidOf(key: string | undefined): string | undefined {
    return key === undefined ? undefined : this.#sidByKey.get(key);
  }

  /** Whether a message is known to be of another call than the one with this key. */
  isOfAnother(sid: string, key: string | undefined): boolean {
    const known = this.#keyBySid.get(sid);
    return known !== undefined && known !== key;
  }
}
