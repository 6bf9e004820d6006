/**
 * Preloaded (`node --import redirect.mjs`) into a server whose vendor's host is fixed in its code: requests to the
 * hosts named in `REDIRECT_HOSTS`, a JSON object of host to `http://127.0.0.1:port`, go there instead; a connection to
 * any host but this machine fails. For tests only.
 */
import http from 'node:http';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1', '[::1]']);

const targets = new Map(
  Object.entries(JSON.parse(process.env.REDIRECT_HOSTS ?? '{}')).map(([host, target]) => {
    const url = new URL(target);
    if (url.protocol !== 'http:' || !LOOPBACK.has(url.hostname)) {
      throw new Error('REDIRECT_HOSTS: a target must be http on this machine itself');
    }
    return [host, url];
  }),
);

/** The address on this machine that stands for `url`; `url` itself where it is no redirected host. */
function redirected(url) {
  const target = targets.get(url.hostname);
  return target === undefined ? url : new URL(url.pathname + url.search, target);
}

const realFetch = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  if (!(input instanceof Request)) return realFetch(redirected(new URL(input)), init);
  return realFetch(new Request(redirected(new URL(input.url)), input), init);
};

/** `http.request`'s three ways of naming an address, as one. */
function addressOf(args, scheme) {
  const [first, second, third] = args;
  if (typeof first === 'string' || first instanceof URL) {
    const options = typeof second === 'function' ? {} : (second ?? {});
    return { url: new URL(first), options, callback: typeof second === 'function' ? second : third };
  }
  const { protocol = scheme, hostname, host = 'localhost', port, path = '/' } = first;
  const authority = `${hostname ?? host}${port ? `:${port}` : ''}`;
  return { url: new URL(path, `${protocol}//${authority}`), options: first, callback: second };
}

for (const [module, scheme] of [
  [http, 'http:'],
  [https, 'https:'],
]) {
  const real = module.request;
  const plain = http.request;
  module.request = (...args) => {
    const { url, options, callback } = addressOf(args, scheme);
    const to = redirected(url);
    if (to === url) return real(...args);
    const { agent, protocol, host, hostname, port, path, servername, ...rest } = options;
    return plain({ ...rest, host: to.hostname, port: to.port, path: to.pathname + to.search }, callback);
  };
  module.get = (...args) => {
    const request = module.request(...args);
    request.end();
    return request;
  };
}

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function guarded(...args) {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0];
  const host =
    typeof first === 'object' && first !== null ? first.host : typeof args[1] === 'string' ? args[1] : undefined;
  if (host !== undefined && !LOOPBACK.has(host)) {
    process.nextTick(() => this.destroy(new Error(`redirect.mjs: a connection to ${host} was refused`)));
    return this;
  }
  return connect.apply(this, args);
};

syncBuiltinESMExports();
