import { describe, expect, it } from 'vitest';
import { parseRedisUrl } from '#core/store/redis-address.ts';

describe('the URL of a Redis', () => {
  it('names host, port, user, password and database', () => {
    expect(parseRedisUrl('redis://me:p%40ss@redis.internal:7000/3')).toEqual({
      host: 'redis.internal',
      port: 7000,
      db: 3,
      username: 'me',
      password: 'p@ss',
    });
  });

  it('needs a host only', () => {
    expect(parseRedisUrl('redis://localhost')).toEqual({ host: 'localhost', port: 6379, db: 0 });
    expect(parseRedisUrl('redis://:secret@[::1]:1/')).toEqual({ host: '::1', port: 1, db: 0, password: 'secret' });
  });

  it('asks for TLS by its scheme', () => {
    expect(parseRedisUrl('rediss://redis.internal').tls).toEqual({});
    expect(parseRedisUrl('redis://redis.internal').tls).toBeUndefined();
  });

  it.each([
    'http://secret@localhost',
    'redis:///secret',
    'secret',
    'redis://localhost/secret',
    'redis://localhost:99999/0?secret',
    'redis://:%secret@localhost',
    'redis://localhost?enableOfflineQueue=secret',
  ])('is refused without being repeated: %s', (url) => {
    let refusal: unknown;
    try {
      parseRedisUrl(url);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(TypeError);
    expect(String(refusal)).not.toContain('secret');
  });
});
