/** A parsed value with the members of every object in one order; it must not be nested deeper than a stack is. */
export function sortedMembers(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sortedMembers);
  // A member named `__proto__` stays a member like any other.
  const copy: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(value).sort()) copy[key] = sortedMembers((value as Record<string, unknown>)[key]);
  return copy;
}
