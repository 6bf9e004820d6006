import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { checkConfigFile, type FileServer } from '#core/config/file-schema.ts';
import type { Problems } from '#core/config/problems.ts';

/** A config file as read and checked. */
export interface ConfigFile {
  /** Its name for messages. */
  readonly label: string;
  /** Its folder: what `cwd` is relative to. */
  readonly directory: string;
  readonly servers: ReadonlyMap<string, FileServer>;
}

/** Reads and checks a config file; what is wrong with it is added to `problems`. */
export function readConfigFile(path: string, directory: string, problems: Problems): ConfigFile {
  const absolute = resolve(directory, path);
  const label = basename(absolute);
  const nothing: ConfigFile = { label, directory: dirname(absolute), servers: new Map() };
  let text: string;
  try {
    text = readFileSync(absolute, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    problems.add('--config', `${label} cannot be read (${reason}); correct the path or the file's permissions`);
    return nothing;
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    problems.add(label, `is not valid JSON (${placeOf(text)}); comments and trailing commas are not JSON`);
    return nothing;
  }
  return { ...nothing, servers: checkConfigFile(content, label, problems) };
}

/**
 * Line and column of the first character that cannot belong to a JSON text. Found by halving, since the parser
 * does not always say, and its own message would quote the text around the place, secrets included.
 */
function placeOf(text: string): string {
  let good = 0;
  let bad = text.length + 1;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (couldGoOn(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  if (good === text.length) return 'it ends too early';
  const before = text.slice(0, good).split('\n');
  return `line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`;
}

function couldGoOn(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    return /^Unexpected end|^Unterminated/.test(message) || message.includes(`at position ${text.length} `);
  }
}
