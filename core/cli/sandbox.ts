import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectation, type NumberSetting, parseNumber } from '#core/config/number-setting.ts';
import type { Sandbox } from '#core/manifest.ts';
import { nearNames } from '#core/near-names.ts';
import { bridges } from '../../bridges/index.ts';
import { EXIT } from './exit-codes.ts';
import { listenReason } from './listen-on.ts';
import { print, said, tell } from './say.ts';

export interface SandboxArguments {
  /** Of a bridge that comes with the service. */
  readonly name: string;
  /** As written on the command line; default any free one. */
  readonly port: string | undefined;
  /** One JSON object instead of lines for a shell. */
  readonly json: boolean;
}

const PORT = {
  default: 0,
  least: 0,
  most: 65_535,
  whole: true,
  help: 'Port of the stand-in.',
} as const satisfies NumberSetting;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * `fleet sandbox NAME`: one vendor's stand-in by itself, fresh at every start, for the tests of other projects. Prints the
 * variables that lead to it, on stdout and nothing else there, once it can be reached, and runs until a signal asks it to
 * stop. Returns the exit code.
 */
export async function sandbox({ name, port, json }: SandboxArguments): Promise<number> {
  const start = await startOf(name);
  const wanted = port === undefined ? PORT.default : parseNumber(PORT, port);
  if (wanted === undefined) tell(`fleet: --port: ${expectation(PORT)}`);
  if (start === undefined || wanted === undefined) return saidWith(EXIT.config);
  // From before the start: a stand-in may be a process of its own, which must not stay behind.
  const asked = firstSignal();
  const dataDir = await mkdtemp(join(tmpdir(), `fleet-sandbox-${name}-`));
  try {
    await using running = await start({ dataDir, port: wanted });
    if (asked.yet) return EXIT.interrupted;
    print(json ? JSON.stringify(described(name, running)) : exportLines(running.env));
    if (!json) tellUse(name, running);
    if (port !== undefined && running.url === undefined) tell(`fleet: the stand-in of ${name} does not take a --port`);
    await asked.promise;
    return await saidWith(EXIT.ok);
  } catch (error) {
    tell(`fleet: the stand-in of ${name} cannot start: ${reasonOf(error, wanted)}`);
    return await saidWith(EXIT.unavailable);
  } finally {
    asked.forget();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** What starts the stand-in; undefined, and told, where there is none. */
async function startOf(name: string) {
  const manifest = Object.hasOwn(bridges, name) ? await bridges[name]?.() : undefined;
  if (manifest?.sandbox !== undefined) return manifest.sandbox;
  const [near] = nearNames(name, Object.keys(bridges));
  const hint = near === undefined ? `known are ${Object.keys(bridges).join(', ')}` : `did you mean ${near}?`;
  tell(
    manifest === undefined
      ? `fleet: sandbox: there is no bridge ${JSON.stringify(name)}; ${hint}`
      : `fleet: sandbox: the bridge ${name} has no stand-in`,
  );
  return undefined;
}

function described(name: string, { url, env, summary }: Sandbox) {
  return { name, summary, ...(url === undefined ? {} : { url, control: `${url}/_sandbox/` }), env };
}

/** Lines a shell can take as they are. */
function exportLines(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([variable, value]) => `export ${variable}='${value.replaceAll("'", "'\\''")}'`)
    .join('\n');
}

/** For the person at the terminal, beside the lines for the shell. */
function tellUse(name: string, { url, summary }: Sandbox): void {
  tell(`\n  ${name}: ${summary}`);
  if (url !== undefined) {
    const order = '{"kind":"status","status":429,"retryAfterSeconds":2,"times":1}';
    tell(`\n  The next request fails:   curl -s ${url}/_sandbox/faults -d '${order}'`);
    tell(`  What has arrived:         curl -s ${url}/_sandbox/received`);
    tell(`  Back to the beginning:    curl -s -X POST ${url}/_sandbox/reset`);
  }
  tell('\n  Ctrl-C stops it.\n');
}

/** Waits for the first signal to stop; the next one ends the process as if nobody listened. */
function firstSignal() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const signal = { yet: false, promise, forget };
  // A stand-in need not keep the process alive by itself.
  const alive = setInterval(() => {}, LONGEST_TIMER_MS);
  function forget(): void {
    clearInterval(alive);
    for (const one of SIGNALS) process.off(one, heard);
  }
  function heard(): void {
    signal.yet = true;
    forget();
    resolve();
  }
  for (const one of SIGNALS) process.on(one, heard);
  return signal;
}

function reasonOf(error: unknown, port: number): string {
  if (error instanceof Error && 'syscall' in error && error.syscall === 'listen') {
    return listenReason(error, '127.0.0.1', port, '--port');
  }
  return error instanceof Error ? error.message : 'unknown reason';
}

async function saidWith(exitCode: number): Promise<number> {
  await said();
  return exitCode;
}
