import { Refusal } from './refusal.ts';

/** Which members of an object were asked for; `all` with everything below. */
type Mask = ReadonlyMap<string, Mask | 'all'>;

/** `a,b(c,d),e/f` as Google's `fields` parameter has it. @throws Refusal 400 */
export function parseFields(text: string): Mask {
  let at = 0;
  const invalid = () => new Refusal(400, 'invalidParameter', `Invalid field selection ${text}`);
  const list = (depth: number): Map<string, Mask | 'all'> => {
    const mask = new Map<string, Mask | 'all'>();
    for (;;) {
      const path: string[] = [];
      do {
        if (text[at] === '/') at += 1;
        const name = /^(?:[A-Za-z0-9]+|\*)/.exec(text.slice(at))?.[0];
        if (name === undefined) throw invalid();
        at += name.length;
        path.push(name);
      } while (text[at] === '/');
      let below: Mask | 'all' = 'all';
      if (text[at] === '(') {
        at += 1;
        below = list(depth + 1);
        if (text[at] !== ')') throw invalid();
        at += 1;
      }
      const [first = '', ...rest] = path;
      mask.set(
        first,
        rest.reduceRight<Mask | 'all'>((inner, name) => new Map([[name, inner]]), below),
      );
      if (text[at] !== ',') break;
      at += 1;
    }
    if (depth === 0 && at !== text.length) throw invalid();
    return mask;
  };
  return list(0);
}

/** The part of `value` that was asked for. */
export function select(value: unknown, mask: Mask | 'all'): unknown {
  if (mask === 'all' || mask.has('*')) return value;
  if (Array.isArray(value)) return value.map((member) => select(member, mask));
  if (typeof value !== 'object' || value === null) return value;
  const chosen = Object.entries(value).flatMap(([name, member]) => {
    const below = mask.get(name);
    return below === undefined ? [] : [[name, select(member, below)] as const];
  });
  return Object.fromEntries(chosen);
}

/** `value` as `fields` asks for it, or with `fallback` where it does not. */
export function selected(value: object, fields: string | null, fallback: string): unknown {
  return select(value, parseFields(fields ?? fallback));
}
