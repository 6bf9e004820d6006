import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bridges } from '../../../bridges/index.ts';
import type { BridgeManifest } from '../../../core/manifest.ts';
import { treeMemory } from '../procfs.ts';
import { type RunContext, reasonOf, rotated } from './run-context.ts';

/** One start of one bridge's own stdio server, against its stand-in. */
export interface WorkerStart {
  readonly bridge: string;
  /** With a NODE_COMPILE_CACHE that earlier starts have filled. */
  readonly cached: boolean;
  /** From spawning the process to its list of tools. */
  readonly ms: number;
  readonly rssKiB: number;
}

const START_DEADLINE_MS = 30_000;
const GREETING =
  '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1.0.0"}}}\n';
const GREETED =
  '{"jsonrpc":"2.0","method":"notifications/initialized"}\n{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n';

/** Starts the worker of every bridge again and again, without and with a warm compile cache. */
export async function measureWorkerStarts(context: RunContext): Promise<WorkerStart[]> {
  const results: WorkerStart[] = [];
  for (const load of Object.values(bridges)) {
    const manifest = await load();
    try {
      results.push(...(await startsOf(manifest, context)));
    } catch (error) {
      context.fail(`worker of ${manifest.name}: ${reasonOf(error)}`);
    }
  }
  return results;
}

async function startsOf({ name, server, sandbox }: BridgeManifest, context: RunContext): Promise<WorkerStart[]> {
  if (!('module' in server) || sandbox === undefined) return [];
  const dataDir = mkdtempSync(join(context.cacheDir, `${name}-data-`));
  const cacheDir = mkdtempSync(join(context.cacheDir, `${name}-compiled-`));
  const module = fileURLToPath(server.module);
  try {
    await using standIn = await sandbox({ dataDir });
    // Node writes the cache when a process ends, and compiles lazily used functions into it at the second start.
    for (let i = 0; i < 2; i++) await startOne(module, standIn.env, cacheDir);
    const results: WorkerStart[] = [];
    for (let round = 0; round < context.options.coldStarts; round++) {
      for (const compileCache of rotated([undefined, cacheDir], round)) {
        const cached = compileCache !== undefined;
        const { ms, rssKiB } = await startOne(module, standIn.env, compileCache);
        results.push({ bridge: name, cached, ms, rssKiB });
        context.progress(
          `worker ${round + 1}/${context.options.coldStarts}: ${name}${cached ? ' cached' : ''} ${ms.toFixed(0)} ms`,
        );
      }
    }
    return results;
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function startOne(
  module: string,
  env: Readonly<Record<string, string>>,
  compileCache: string | undefined,
): Promise<{ readonly ms: number; readonly rssKiB: number }> {
  const begin = performance.now();
  const child = spawn(process.execPath, [module], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {
      PATH: process.env.PATH,
      ...env,
      ...(compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache }),
    },
  });
  const ended = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), START_DEADLINE_MS);
  try {
    await listTools(child);
    const ms = performance.now() - begin;
    return { ms, rssKiB: treeMemory(child.pid as number).rssKiB };
  } finally {
    child.stdin?.end();
    await ended;
    clearTimeout(timer);
  }
}

/** @throws Error where the server ends before it has listed any tool */
async function listTools({ stdin, stdout }: ChildProcess): Promise<void> {
  if (stdin === null || stdout === null) throw new Error('the server has no pipes');
  // One that ends early is told by its missing answer.
  stdin.on('error', () => undefined);
  stdin.write(GREETING);
  for await (const line of createInterface({ input: stdout })) {
    const message = JSON.parse(line);
    if (message.id === 0) stdin.write(GREETED);
    if (message.id === 1 && message.result?.tools?.length > 0) return;
  }
  throw new Error('it ended before it listed any tool');
}
