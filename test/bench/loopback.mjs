// Preloaded into subjects that can only listen on every interface: a benchmark opens loopback ports alone.
import { Server } from 'node:net';

const listen = Server.prototype.listen;
Server.prototype.listen = function listenOnLoopback(...args) {
  const [port, host, ...rest] = args;
  if (typeof port === 'number' && typeof host !== 'string')
    return listen.call(this, port, '127.0.0.1', ...args.slice(1));
  return listen.call(this, port, host, ...rest);
};
