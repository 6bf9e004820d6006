import { afterEach, beforeEach } from 'vitest';
import { until } from './until.ts';

/** What a test must not leave behind: child processes, their pipes, listening servers. */
const WATCHED = ['ProcessWrap', 'PipeWrap', 'TCPServerWrap'] as const;

let before: ReadonlyMap<string, number>;

function living(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function leaked(): string[] {
  const now = living();
  return WATCHED.filter((kind) => (now.get(kind) ?? 0) > (before.get(kind) ?? 0)).map(
    (kind) => `${(now.get(kind) ?? 0) - (before.get(kind) ?? 0)} ${kind}`,
  );
}

beforeEach(() => {
  before = living();
});

afterEach(async () => {
  if (leaked().length === 0) return;
  await until('the test leaves nothing behind', () => leaked().length === 0, { timeoutMs: 3_000 }).catch(() => {
    throw new Error(`the test left behind: ${leaked().join(', ')}`);
  });
});
