import { isIPv6 } from 'node:net';

const DEFAULT_MAX = 20;
const DEFAULT_MAX_ADDRESSES = 10_000;
const WINDOW_MS = 60_000;
/** Many callers may share an address (a front's, say): the guesses of one must not keep out the new tokens of the others. */
const SPARED_PER_SECOND = 20;

/** The failures of one address in its minute. */
interface Window {
  readonly endsAtMs: number;
  failures: number;
  /** The second in which attempts were spared last, and how many. */
  second: number;
  spared: number;
}

export interface FailedAttemptsOptions {
  /** Of one address within a minute; default 20. */
  readonly max?: number;
  /** Remembered at a time; beyond it the address whose minute began first is forgotten. Default 10 000. */
  readonly maxAddresses?: number;
  /** Monotonic. */
  readonly now?: () => number;
  /** An address has used up its failures; once per address and minute. */
  readonly onLimited?: (address: string, failures: number) => void;
}

/**
 * How often each address has shown a bad credential lately. A minute begins with the first failure after the last
 * minute; an IPv6 address counts as its /64, which is what one household or machine is given.
 */
export class FailedAttempts {
  readonly #max: number;
  readonly #maxAddresses: number;
  readonly #now: () => number;
  readonly #onLimited: (address: string, failures: number) => void;
  /** In the order in which their minutes began. */
  readonly #windows = new Map<string, Window>();

  constructor(options: FailedAttemptsOptions = {}) {
    this.#max = options.max ?? DEFAULT_MAX;
    this.#maxAddresses = options.maxAddresses ?? DEFAULT_MAX_ADDRESSES;
    this.#now = options.now ?? (() => performance.now());
    this.#onLimited = options.onLimited ?? (() => undefined);
  }

  /** Failures that an address may have in a minute. */
  get max(): number {
    return this.#max;
  }

  /** Addresses that had a failure lately. */
  get addresses(): number {
    return this.#windows.size;
  }

  /** How long an address has to wait until its next failure is answered as one; 0 where it is not limited. */
  limitedForMs(address: string): number {
    // The common case costs nothing: no failure anywhere.
    if (this.#windows.size === 0) return 0;
    const window = this.#windows.get(networkOf(address));
    if (window === undefined || window.failures < this.#max) return 0;
    return Math.max(0, window.endsAtMs - this.#now());
  }

  /**
   * Whether a limited address may make one more attempt all the same, if looking at it costs something: 20 in each
   * second may, which is nothing for us and little for who guesses.
   */
  spare(address: string): boolean {
    const window = this.#windows.get(networkOf(address));
    if (window === undefined) return true;
    const second = Math.floor(this.#now() / 1000);
    if (window.second !== second) {
      window.second = second;
      window.spared = 0;
    }
    if (window.spared >= SPARED_PER_SECOND) return false;
    window.spared += 1;
    return true;
  }

  /** Counts a failure. Not to be called while the address is limited. */
  count(address: string): void {
    const network = networkOf(address);
    const now = this.#now();
    this.#forgetEnded(now);
    let window = this.#windows.get(network);
    if (window === undefined) {
      if (this.#windows.size >= this.#maxAddresses) this.#forgetOldest();
      window = { endsAtMs: now + WINDOW_MS, failures: 0, second: -1, spared: 0 };
      this.#windows.set(network, window);
    }
    window.failures += 1;
    if (window.failures === this.#max) this.#onLimited(network, window.failures);
  }

  /** All windows are equally long, so the first ones end first. */
  #forgetEnded(now: number): void {
    for (const [network, { endsAtMs }] of this.#windows) {
      if (endsAtMs > now) return;
      this.#windows.delete(network);
    }
  }

  #forgetOldest(): void {
    const oldest = this.#windows.keys().next().value;
    if (oldest !== undefined) this.#windows.delete(oldest);
  }
}

/** What an address counts as: an IPv4 address itself (also where it is mapped into IPv6), an IPv6 address its /64. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [bare = ''] = address.split('%');
  const [left = '', right] = bare.split('::');
  const head = groupsOf(left);
  const tail = right === undefined ? [] : groupsOf(right);
  const zeros = new Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0');
  const groups = [...head, ...zeros, ...tail].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${groups.join(':')}::/64`;
}

/** An IPv4 address at the end stands for two groups, of which none is among the first four. */
function groupsOf(text: string): string[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group]));
}
