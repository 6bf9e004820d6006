import { once } from 'node:events';
import type { Fleet } from './fleet.ts';
import { until } from './until.ts';

/** What a fleet must be started with, so that its garbage can be collected from outside: a debugger's port of its own. */
export const COLLECTABLE = { NODE_OPTIONS: '--inspect-port=127.0.0.1:0' } as const;

/**
 * Has V8 throw away all that nobody holds, so that what a process takes is what it keeps. By the debugger, which Node
 * opens at SIGUSR1; nothing of it is there before.
 */
export async function collectGarbage(fleet: Fleet): Promise<void> {
  const address = () => /Debugger listening on (ws:\S+)/.exec(fleet.output.join(''))?.[1];
  if (address() === undefined) fleet.process.kill('SIGUSR1');
  const debug = new WebSocket(await until('the debugger listens', address));
  await once(debug, 'open');
  try {
    debug.send(JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' }));
    const [{ data }] = (await once(debug, 'message')) as [{ readonly data: string }];
    const { id, error } = JSON.parse(data) as { readonly id?: number; readonly error?: unknown };
    if (id !== 1 || error !== undefined) throw new Error(`the debugger says ${data}`);
  } finally {
    debug.close();
    await once(debug, 'close');
  }
}
