import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { type TreeMemory, treeMemory } from '../procfs.ts';
import { RunningSubject } from '../running-subject.ts';
import type { Subject } from '../subjects.ts';
import { type RunContext, reasonOf, rotated } from './run-context.ts';

/** One start of one subject. */
export interface ColdStart {
  readonly subject: string;
  readonly round: number;
  /** With a NODE_COMPILE_CACHE that earlier starts have filled. */
  readonly cached: boolean;
  /** From spawning the process to the first right answer of a new client. */
  readonly ms: number;
  readonly memory: TreeMemory;
}

async function start(subject: Subject, round: number, compileCache: string | undefined): Promise<ColdStart> {
  const begin = performance.now();
  const running = await RunningSubject.spawn(subject, { child: 'echo', compileCache });
  try {
    await running.firstCall({ farewell: false });
    const ms = performance.now() - begin;
    const memory = treeMemory(running.pid);
    return { subject: subject.name, round, cached: compileCache !== undefined, ms, memory };
  } finally {
    await running.stop();
  }
}

/** Starts every subject again and again, without and with a warm compile cache. */
export async function measureColdStarts(context: RunContext): Promise<ColdStart[]> {
  const results: ColdStart[] = [];
  const broken = new Set<Subject>();
  const startable = context.subjects.filter((subject) => subject.server !== undefined && subject.onlyIn === undefined);
  const caches = new Map(
    startable.map((subject) => [subject, mkdtempSync(join(context.cacheDir, `${subject.name}-`))]),
  );

  const attempt = async (
    subject: Subject,
    round: number,
    cache: string | undefined,
  ): Promise<ColdStart | undefined> => {
    if (broken.has(subject)) return undefined;
    try {
      return await start(subject, round, cache);
    } catch (error) {
      broken.add(subject);
      context.fail(reasonOf(error));
      return undefined;
    }
  };
  // Node writes the cache when a process ends, and compiles lazily used functions into it at the second start.
  for (const subject of startable) for (let i = 0; i < 2; i++) await attempt(subject, -1, caches.get(subject));
  for (let round = 0; round < context.options.coldStarts; round++) {
    for (const subject of rotated(startable, round)) {
      for (const cache of [undefined, caches.get(subject)]) {
        const result = await attempt(subject, round, cache);
        if (result === undefined) continue;
        results.push(result);
        context.progress(
          `cold start ${round + 1}/${context.options.coldStarts}: ${subject.name}${result.cached ? ' cached' : ''} ${result.ms.toFixed(0)} ms`,
        );
      }
    }
  }
  return results;
}
