import { closeSync, openSync, readSync } from 'node:fs';
import type { Problems } from '#core/config/problems.ts';

/** Longest secret file that is read; a service account's key is 3 KB. */
const maxSecretBytes = 256 * 1024;

/**
 * The process's environment, read once. This file is the only one in `core/` that reads `process.env`;
 * everything else is handed what it needs. An empty variable counts as unset: that is what compose
 * files pass on for a variable nobody set.
 */
export class Environment {
  /** Every variable that is set, also the empty ones. */
  readonly all: Readonly<Record<string, string>>;

  constructor(variables: Readonly<Record<string, string | undefined>>) {
    const all: Record<string, string> = Object.create(null);
    for (const [name, value] of Object.entries(variables)) if (value !== undefined) all[name] = value;
    this.all = Object.freeze(all);
  }

  static ofProcess(): Environment {
    return new Environment(process.env);
  }

  /** Its value; undefined when it is unset or empty. */
  get(name: string): string | undefined {
    return this.all[name] || undefined;
  }

  /**
   * A secret: `NAME`, or the content of the file that `NAME_FILE` names, without its last line break.
   * Both set, and a file that cannot be read or is empty, are problems that name the variable only. `unset` takes an
   * empty file as an empty variable, with a warning: for what a stack mounts whether or not anybody has it.
   */
  secret(name: string, problems: Problems, emptyFile: 'refused' | 'unset' = 'refused'): string | undefined {
    const value = this.get(name);
    const variable = `${name}_FILE`;
    const path = this.get(variable);
    if (path === undefined) return value;
    if (value !== undefined) {
      problems.add(variable, `is set together with ${name}; unset one of them`);
      return value;
    }
    let content: string;
    try {
      content = readBounded(path);
    } catch (error) {
      problems.add(
        variable,
        `its file cannot be read (${reasonOf(error)}); correct the path or the file's permissions`,
      );
      return undefined;
    }
    const secret = content.replace(/\r?\n$/, '');
    if (secret !== '') return secret;
    if (emptyFile === 'unset') problems.warn(variable, 'its file is empty and counts as unset');
    else problems.add(variable, 'its file is empty; write the secret into it');
    return undefined;
  }
}

function readBounded(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(maxSecretBytes + 1);
    let length = 0;
    for (;;) {
      const read = readSync(fd, buffer, length, buffer.length - length, null);
      if (read === 0) break;
      length += read;
      if (length > maxSecretBytes) throw new Error(`it is longer than ${maxSecretBytes} bytes`);
    }
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}

/** Node's own messages carry the path; its error code says the same without it. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.message : 'unknown reason';
}
