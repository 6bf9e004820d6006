import { hash, timingSafeEqual } from 'node:crypto';

/** The SHA-256 of a credential, 32 characters of one byte each: what Node makes fastest and a Map can hold. */
export type Digest = string & { readonly kind: 'digest' };

/** The digest of a credential as sent; credentials are ASCII. */
export function digestOf(credential: string): Digest {
  return hash('sha256', credential, 'binary') as Digest;
}

/** A digest from its 64 hexadecimal digits. */
export function digestFromHex(hex: string): Digest {
  return Buffer.from(hex, 'hex').toString('latin1') as Digest;
}

/** Into it go the 32 bytes that are looked for: nothing is allocated for a question. */
const wanted = Buffer.alloc(32);

/**
 * Values by the digests of credentials. What is looked up is a digest, of which nobody can choose the bytes, and what was
 * found is compared in constant time, so that neither step tells anything of a credential.
 */
export class DigestMap<V> {
  readonly #entries = new Map<Digest, { readonly bytes: Buffer; readonly value: V }>();

  get size(): number {
    return this.#entries.size;
  }

  get(digest: Digest): V | undefined {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    wanted.write(digest, 'latin1');
    return timingSafeEqual(entry.bytes, wanted) ? entry.value : undefined;
  }

  set(digest: Digest, value: V): void {
    this.#entries.set(digest, { bytes: Buffer.from(digest, 'latin1'), value });
  }

  delete(digest: Digest): void {
    this.#entries.delete(digest);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** The digest that was set first. */
  oldest(): Digest | undefined {
    return this.#entries.keys().next().value;
  }
}
