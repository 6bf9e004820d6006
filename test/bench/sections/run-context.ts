import type { Options } from '../options.ts';
import type { Subject } from '../subjects.ts';

/** What every section of a run shares. */
export interface RunContext {
  readonly options: Options;
  readonly subjects: readonly Subject[];
  /** Folder for compile caches that last for this run. */
  readonly cacheDir: string;
  /** One line of progress. */
  readonly progress: (line: string) => void;
  /** A subject cannot be measured, or answered wrongly: the run goes on and ends with an error. */
  readonly fail: (message: string) => void;
}

/** The subjects of a round in an order of its own, so that none always runs after the same other. */
export function rotated<T>(items: readonly T[], by: number): readonly T[] {
  const from = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(from), ...items.slice(0, from)];
}

/** The text of anything thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
