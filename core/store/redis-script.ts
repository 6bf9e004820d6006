import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script over one key: one round trip, atomic, and safe in a cluster, whatever the key looks like. */
export class RedisScript {
  readonly #source: string;
  readonly #sha1: string;

  constructor(source: string) {
    this.#source = source;
    this.#sha1 = createHash('sha1').update(source).digest('hex');
  }

  /** Runs it by its digest; a Redis that does not know it (restarted, flushed) is sent the source. Strings are Buffers. */
  async run(client: Redis, key: string, args: readonly (string | number | Buffer)[]): Promise<unknown> {
    try {
      return await client.callBuffer('evalsha', this.#sha1, 1, key, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return client.callBuffer('eval', this.#source, 1, key, ...args);
    }
  }
}
