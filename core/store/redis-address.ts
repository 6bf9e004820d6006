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

/** What is wrong with the URL of a Redis; undefined where nothing is. No part of the URL is repeated. */
export function redisUrlProblem(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === '') {
    return 'must be redis://[user:password@]host[:port][/db], or rediss://';
  }
  // ioredis would take the members of a query as options that win over ours, an unbounded queue among them.
  if (parsed.search !== '' || parsed.hash !== '') return 'takes no query and no fragment';
  if (!/^\/?\d{0,5}$/.test(parsed.pathname)) return 'has a path that is not the number of a database';
  const { username, password } = parsed;
  return isEncoded(username) && isEncoded(password) ? undefined : 'has a user or password that is not percent-encoded';
}

/**
 * Reads `redis[s]://[user][:password@]host[:port][/db]`.
 * @throws TypeError which never repeats any part of the URL
 */
export function parseRedisUrl(url: string): RedisAddress {
  const problem = redisUrlProblem(url);
  if (problem !== undefined) throw new TypeError(`the Redis URL ${problem}`);
  const { protocol, hostname, port, pathname, username, password } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? DEFAULT_PORT : Number(port),
    db: Number(pathname.slice(1)),
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
  };
}

function isEncoded(part: string): boolean {
  try {
    decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}
