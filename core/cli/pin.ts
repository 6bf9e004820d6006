import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { type BridgeSettings, createBridge } from '#core/bridge.ts';
import { compileFleet } from '#core/config/compile-fleet.ts';
import { ConfigError } from '#core/config/problems.ts';
import { BridgeError } from '#core/errors.ts';
import { type Pins, pinFileText, pinOf, readPins } from '#core/mcp/pins.ts';
import { EXIT } from './exit-codes.ts';
import { type FleetArguments, requestOf } from './fleet-arguments.ts';
import { print, said, tell, tellProblems } from './say.ts';

export interface PinOptions {
  /** Where the pins are; default what the configuration says, else `pins/NAME.json`. */
  readonly file?: string | undefined;
  /** Only says whether the pins still hold, and writes nothing. */
  readonly check?: boolean;
}

/**
 * `fleet pin NAME`: starts the server, writes down what its tools are now, and says what that changes. Returns the exit
 * code; with `check` 1 where a pin no longer holds.
 */
export async function pin(args: FleetArguments, options: PinOptions): Promise<number> {
  try {
    const config = await compileFleet(requestOf(args));
    const settings = config.bridges[0];
    if (settings === undefined || config.bridges.length > 1) {
      tell('fleet: pin one bridge at a time: fleet pin NAME [--config FILE]');
      return EXIT.usage;
    }
    const path = resolve(options.file ?? settings.pinFile ?? `pins/${settings.name}.json`);
    const before = await readPins(path);
    if ('unreadable' in before && before.unreadable !== 'ENOENT') {
      tell(`fleet: the pins that are there cannot be read (${before.unreadable}); look at ${shown(path)} first`);
      return EXIT.config;
    }
    const now = await pinsOf(settings, config.baseEnv);
    const changes = differences('unreadable' in before ? new Map() : before, now);
    for (const change of changes) print(change);
    if (options.check === true) {
      tell(changes.length === 0 ? `${now.size} tools are as pinned` : `${changes.length} tools are not as pinned`);
      return changes.length === 0 ? EXIT.ok : EXIT.differs;
    }
    await replaceFile(path, pinFileText(now));
    tell(`${now.size} tools pinned in ${shown(path)}; set "pinFile" of ${settings.name} to it`);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof BridgeError) {
      tell(`fleet: the tools cannot be listed: ${error.message}`);
      return EXIT.unavailable;
    }
    if (!(error instanceof ConfigError)) throw error;
    tellProblems(error.problems);
    return EXIT.config;
  } finally {
    await said();
  }
}

/** What the server lists, held against no pins. */
async function pinsOf(settings: BridgeSettings, baseEnv: Readonly<Record<string, string>>): Promise<Pins> {
  const bridge = createBridge({ ...settings, pinFile: undefined }, { baseEnv });
  const abort = new AbortController();
  const patienceMs = settings.pool.startDeadlineMs * 2;
  const timer = setTimeout(() => {
    abort.abort(new BridgeError('no_worker_ready', `the server did not start within ${patienceMs} ms`));
  }, patienceMs);
  try {
    const { tools } = await bridge.tools(abort.signal);
    return new Map(tools.map(({ name, sha256 }) => [name, pinOf(sha256)]));
  } finally {
    clearTimeout(timer);
    await bridge.drain();
  }
}

/** One line per tool: `+` is new, `~` differs, `-` is gone. */
function differences(before: Pins, now: Pins): readonly string[] {
  const lines: string[] = [];
  for (const [name, pinned] of now) {
    const known = before.get(name);
    if (known === undefined) lines.push(`+ ${name}`);
    else if (known !== pinned) lines.push(`~ ${name}`);
  }
  for (const name of before.keys()) if (!now.has(name)) lines.push(`- ${name}`);
  return lines;
}

/** A process that reads the file meanwhile sees the old pins or the new ones, never half of them. */
async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.tmp`;
  await writeFile(draft, text);
  await rename(draft, path);
}

function shown(path: string): string {
  return relative(process.cwd(), path);
}
