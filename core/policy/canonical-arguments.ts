import { sortedMembers } from '#core/json/sorted-members.ts';

/**
 * A call's arguments with the members of every object in one order, so that two bodies that mean the same are the same
 * text. Whitespace, escapes and the spelling of numbers were settled when the arguments were serialised anew.
 * @param json as JSON.stringify writes an object, nested no deeper than the HTTP layer lets through
 */
export function canonicalArguments(json: string): string {
  const value: unknown = JSON.parse(json);
  return isSorted(value) ? json : JSON.stringify(sortedMembers(value));
}

/** Most arguments are: a few members, or the work of a serialiser that sorts. */
function isSorted(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isSorted);
  let previous = '';
  for (const key in value) {
    if (key < previous || !isSorted((value as Record<string, unknown>)[key])) return false;
    previous = key;
  }
  return true;
}
