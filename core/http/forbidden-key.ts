/**
 * Whether a parsed value holds a key that has polluted prototypes elsewhere: `__proto__`, or `constructor`
 * with `prototype` inside, nested or as one dotted path.
 *
 * @param json the value's own serialisation: a key that does not occur in it needs no walk
 */
export function hasForbiddenKey(value: unknown, json: string): boolean {
  if (json.includes('"__proto__":')) return true;
  if (!json.includes('"constructor')) return false;
  return json.includes('"constructor.prototype":') || hasConstructorPrototype(value);
}

function hasConstructorPrototype(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Object.hasOwn(value, 'constructor')) {
    const inner = (value as { constructor: unknown }).constructor;
    if (typeof inner === 'object' && inner !== null && Object.hasOwn(inner, 'prototype')) return true;
  }
  return Object.values(value).some(hasConstructorPrototype);
}
