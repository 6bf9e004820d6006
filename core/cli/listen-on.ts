import { isIPv6 } from 'node:net';
import type { HttpServer } from '#core/http/server.ts';

/** A port could not be opened; `message` says which, why and what to do. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** Opens a server's port and returns its address. @throws ListenError */
export async function listenOn(
  server: Pick<HttpServer, 'listen'>,
  { host, port }: { readonly host: string; readonly port: number },
  flag: string,
): Promise<string> {
  try {
    const address = await server.listen(port, host);
    return `http://${isIPv6(address.host) ? `[${address.host}]` : address.host}:${address.port}`;
  } catch (error) {
    throw new ListenError(listenReason(error, host, port, flag), { cause: error });
  }
}

/** Why a port could not be opened, and what to do. */
export function listenReason(error: unknown, host: string, port: number, flag: string): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is in use; stop what uses it, or choose another with ${flag}`;
    case 'EACCES':
      return `port ${port} on ${host} may not be opened by this user; choose one above 1023 with ${flag}`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is no address of this machine; choose another with --host`;
    default:
      return `port ${port} on ${host} cannot be opened (${code}); choose another with ${flag}`;
  }
}
