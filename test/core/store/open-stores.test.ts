import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Claim } from '#core/store/idempotency-store.ts';
import { openStores } from '#core/store/open-stores.ts';
import type { StoreEvent } from '#core/store/redis.ts';
import { startTestRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

/** On a busy machine Redis may get no turn for 200 ms, which counts as an outage: it is asked again. */
async function answered(claim: (key: string) => Promise<Claim>, state: Claim['state']): Promise<void> {
  const answer = await until('the store answers', () => claim('k').catch(() => undefined));
  expect(answer.state).toBe(state);
}

describe('the stores of a process', () => {
  it('without a URL are its memory, and nothing is ever away', async () => {
    await using stores = await openStores();
    expect(stores).toMatchObject({ kind: 'memory', away: false });
    await stores.idempotency.claim('k', 'f', 1_000, 'a');
    expect(stores.status()).toMatchObject({ kind: 'memory', idempotencyRecords: 1 });
  });

  it('without a URL load no Redis client', () => {
    const script = `
      const { openStores } = await import('#core/store/open-stores.ts');
      const stores = await openStores();
      const { createRequire } = await import('node:module');
      const loaded = Object.keys(createRequire(process.cwd() + '/x').cache).filter((file) => /ioredis/.test(file));
      console.log(stores.kind, loaded.length);
      if (process.argv.includes('--redis')) {
        await (await openStores({ redisUrl: 'redis://127.0.0.1:1' })).close();
        console.log(Object.keys(createRequire(process.cwd() + '/x').cache).some((file) => /ioredis/.test(file)));
      }`;
    const run = (...more: string[]) =>
      spawnSync(process.execPath, ['--input-type=module', '-e', script, ...more], { cwd: ROOT, encoding: 'utf8' })
        .stdout;
    expect(run()).toBe('memory 0\n');
    expect(run('--', '--redis')).toBe('memory 0\ntrue\n');
  });

  it('with a URL are shared by all who use it, and tell when they are away', async () => {
    await using server = await startTestRedis();
    const events: StoreEvent[] = [];
    await using one = await openStores({ redisUrl: server.url, on: (event) => events.push(event) });
    await using other = await openStores({ redisUrl: server.url });
    expect(one.kind).toBe('redis');
    await answered((key) => one.idempotency.claim(key, 'f', 60_000, 'a'), 'claimed');
    await answered((key) => other.idempotency.claim(key, 'f', 60_000, 'b'), 'in_flight');
    await server.kill();
    await until('it is away', () => one.away);
    expect(one.status()).toMatchObject({ kind: 'redis', state: 'away' });
    expect(events).toContainEqual({ event: 'store:away', reason: expect.any(String) });
    await server.restart();
    await until('it is back', () => !one.away, { timeoutMs: 5_000 });
    await answered((key) => one.idempotency.claim(`${key} again`, 'f', 60_000, 'a'), 'claimed');
  });

  it('open while Redis is away', async () => {
    await using server = await startTestRedis();
    await server.kill();
    await using stores = await openStores({ redisUrl: server.url });
    await until('it is away', () => stores.away);
    expect(stores.status()).toMatchObject({ kind: 'redis', reason: 'ECONNREFUSED' });
    expect(await stores.cache.get('k')).toBeUndefined();
    expect(await stores.rateLimits.take({ name: 'principal', key: 'p', perMinute: 10 })).toMatchObject({
      allowed: true,
    });
  });

  it('are not opened at an address that is none', async () => {
    await expect(openStores({ redisUrl: 'http://localhost' })).rejects.toThrow(TypeError);
  });
});
