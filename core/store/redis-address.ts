/** Where a Redis is and how to log in, as ioredis takes it. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  /** Present for `rediss://`: the certificate is checked against the host. */
  readonly tls?: Record<string, never>;
}

const DEFAULT_PORT = 6379;

/**
 * Reads `redis[s]://[user][:password@]host[:port][/db]`. A query is refused: ioredis would take its members as options
 * that win over ours, an unbounded queue among them.
 * @throws TypeError which never repeats any part of the URL
 */
export function parseRedisUrl(url: string): RedisAddress {
  const parsed = URL.parse(url);
  if (parsed === null || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === '')
    throw new TypeError('the Redis URL is not of the form redis://[user:password@]host[:port][/db], or rediss://');
  if (parsed.search !== '' || parsed.hash !== '') throw new TypeError('the Redis URL takes no query and no fragment');
  const db = /^\/?(\d{0,5})$/.exec(parsed.pathname)?.[1];
  if (db === undefined) throw new TypeError('the path of the Redis URL is the number of a database');
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? DEFAULT_PORT : Number(parsed.port),
    db: Number(db),
    ...(parsed.username === '' ? {} : { username: decode(parsed.username) }),
    ...(parsed.password === '' ? {} : { password: decode(parsed.password) }),
    ...(parsed.protocol === 'rediss:' ? { tls: {} } : {}),
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new TypeError('user and password in the Redis URL must be percent-encoded');
  }
}
