/** Longer names are no slips of the finger, and comparing them costs the product of the lengths. */
const MAX_COMPARED_LENGTH = 128;
const MAX_NEAR = 3;

/**
 * The candidates that a misspelt name probably meant, nearest first, at most three: those that begin with it, and those
 * of which at most a third of the letters differ. Case and `-`, `_`, `.` do not count: `postMessage`, `post-message` and
 * `POST_MESSAGE` mean the same to who mistypes them.
 */
export function nearNames(name: string, candidates: Iterable<string>): readonly string[] {
  if (name.length > MAX_COMPARED_LENGTH) return [];
  const wanted = comparable(name);
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  return Array.from(candidates, (candidate) => ({
    candidate,
    distance: distanceTo(wanted, comparable(candidate), limit),
  }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, MAX_NEAR)
    .map(({ candidate }) => candidate);
}

function distanceTo(wanted: string, candidate: string, limit: number): number {
  if (candidate === wanted) return 0;
  return wanted.length >= 2 && candidate.startsWith(wanted) ? 1 : editDistance(wanted, candidate, limit);
}

function comparable(name: string): string {
  return name.toLowerCase().replace(/[-_.]/g, '');
}

/**
 * Insertions, deletions, replacements and swaps of neighbours between two short texts (optimal string alignment),
 * or `limit + 1` where there are more than `limit`.
 */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let twoBack: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      let best = Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) best = Math.min(best, (twoBack[column - 2] ?? 0) + 1);
      current.push(best);
    }
    if (Math.min(...current) > limit) return limit + 1;
    twoBack = previous;
    previous = current;
  }
  return previous[b.length] ?? limit + 1;
}
