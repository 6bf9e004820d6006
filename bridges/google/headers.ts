/** Headers of an answer: the SDK hands them over as a `Headers` or as a plain object with lower-case names. */
export function headerOf(headers: object | undefined, name: string): string | undefined {
  if (headers === undefined) return undefined;
  const value = 'get' in headers && typeof headers.get === 'function' ? headers.get(name) : Reflect.get(headers, name);
  return typeof value === 'string' ? value : undefined;
}
