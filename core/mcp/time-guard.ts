import { Script } from 'node:vm';

/** Where the script below finds its work: a script sees nothing but globals. */
const WORK: unique symbol = Symbol.for('mcp-bridge-fleet.time-guard');

const host = globalThis as typeof globalThis & { [WORK]?: () => void };

let script: Script | undefined;

/** The work was stopped because it took too long. */
export class TimeGuardError extends Error {
  override readonly name = 'TimeGuardError';
}

/**
 * Runs synchronous work and stops it after `limitMs`, also inside a regular expression that backtracks: the one thing
 * in Node that can interrupt its own thread is the time-out of `node:vm`. It starts a thread for that, about 0.15 ms
 * of CPU a call: only for work that may be too much. Not to be nested.
 *
 * @throws TimeGuardError after `limitMs`, and whatever `work` throws
 */
export function runWithin<T>(limitMs: number, work: () => T): T {
  script ??= new Script(`globalThis[Symbol.for(${JSON.stringify(Symbol.keyFor(WORK))})]()`);
  let result: { readonly value: T } | undefined;
  host[WORK] = () => {
    result = { value: work() };
  };
  try {
    script.runInThisContext({ timeout: limitMs });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new TimeGuardError(`stopped after ${limitMs} ms`, { cause: error });
  } finally {
    delete host[WORK];
  }
  return (result as { readonly value: T }).value;
}
