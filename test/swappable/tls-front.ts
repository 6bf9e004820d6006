import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, TLSSocket } from 'node:tls';

/** A vendor's own host names, over TLS, in front of its stand-in: for a program that takes a proxy and a CA. */
export interface TlsFront extends AsyncDisposable {
  /** Takes `CONNECT` for the hosts it stands for, and refuses all others. */
  readonly proxyUrl: string;
  /** PEM of the certificate, which signs itself. */
  readonly caFile: string;
  /** Hosts that were asked for and refused. */
  readonly refused: readonly string[];
}

async function certificate(folder: string, hosts: readonly string[]): Promise<{ key: Buffer; cert: Buffer }> {
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'ca.pem')];
  const names = hosts.map((host) => `DNS:${host}`).join(',');
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=stand-in']
      .concat('-addext', `subjectAltName=${names}`)
      .concat('-keyout', keyFile, '-out', certFile),
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  return { key: await readFile(keyFile), cert: await readFile(certFile) };
}

/** Hands a request on to `target`, unchanged but for its host. */
function forward(target: string, incoming: IncomingMessage, response: ServerResponse): void {
  const { method = 'GET', url = '/', headers } = incoming;
  const onward = httpRequest(new URL(url, target), { method, headers: { ...headers, host: new URL(target).host } });
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  incoming.pipe(onward);
}

/** Starts it on a free port of this machine; needs the `openssl` program for its certificate of two days. */
export async function startTlsFront(hosts: readonly string[], target: string): Promise<TlsFront> {
  const folder = await mkdtemp(join(tmpdir(), 'fleet-tls-'));
  const { key, cert } = await certificate(folder, hosts);
  const secureContext = createSecureContext({ key, cert });
  const refused: string[] = [];
  const sockets = new Set<Socket>();
  const vendor = createServer((incoming, response) => forward(target, incoming, response));
  const proxy = createServer((_, response) => response.writeHead(405).end());
  proxy.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  proxy.on('connect', (request: IncomingMessage, socket: Socket) => {
    const host = request.url?.split(':')[0] ?? '';
    socket.on('error', () => socket.destroy());
    if (!hosts.includes(host)) {
      refused.push(host);
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      return;
    }
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    const secure = new TLSSocket(socket, { isServer: true, secureContext });
    secure.on('error', () => socket.destroy());
    vendor.emit('connection', secure);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    proxyUrl: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    caFile: join(folder, 'ca.pem'),
    refused,
    [Symbol.asyncDispose]: async () => {
      proxy.close();
      for (const socket of sockets) socket.destroy();
      await once(proxy, 'close');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
