import { invalid } from './fault.ts';

/** A form as Stripe reads it: `a[b][0][c]=1` is a tree, lists are members with numbers for names. */
export interface Tree {
  readonly [name: string]: string | Tree;
}

type Grown = Map<string, string | Grown>;

/** Reads names with brackets; `[]` appends. @throws Fault where a name is both a value and a group */
export function treeOf(form: URLSearchParams): Tree {
  const root: Grown = new Map();
  for (const [name, value] of form) {
    const path = [name.replace(/\[.*$/s, ''), ...[...name.matchAll(/\[([^\]]*)\]/g)].map(([, step = '']) => step)];
    let at = root;
    for (const [n, given] of path.entries()) {
      const step = given === '' ? String(at.size) : given;
      const there = at.get(step);
      if (n === path.length - 1) at.set(step, value);
      else if (typeof there === 'string') throw invalid(`Invalid ${path[0]}`, 'parameter_invalid', name);
      else {
        const next = there ?? new Map();
        at.set(step, next);
        at = next;
      }
    }
  }
  return plain(root);
}

function plain(grown: Grown): Tree {
  return Object.fromEntries(
    [...grown].map(([name, value]) => [name, typeof value === 'string' ? value : plain(value)]),
  );
}

/** Parameters of one request or group; each is read by its name, and what nobody reads is refused as Stripe does. */
export class Params {
  readonly #tree: Tree;
  readonly #prefix: string;
  readonly #read = new Set<string>(['expand']);
  readonly #groups: Params[] = [];

  constructor(tree: Tree, prefix = '') {
    this.#tree = tree;
    this.#prefix = prefix;
  }

  /** The full name of a parameter, as Stripe names it in errors. */
  named(name: string): string {
    return this.#prefix === '' ? name : `${this.#prefix}[${name}]`;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#tree, name);
  }

  /** A text; undefined where it is not given. An empty text empties the member. */
  text(name: string): string | undefined {
    this.#read.add(name);
    const value = this.#tree[name];
    if (typeof value === 'object') throw invalid('Invalid string', 'parameter_invalid_string', this.named(name));
    return value;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === '') {
      const param = this.named(name);
      throw invalid(`Missing required param: ${param}.`, 'parameter_missing', param);
    }
    return value;
  }

  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^-?\d{1,12}$/.test(value)) {
      throw invalid(`Invalid integer: ${value}`, 'parameter_invalid_integer', this.named(name));
    }
    return Number(value);
  }

  flag(name: string): boolean | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (value !== 'true' && value !== 'false') throw invalid(`Invalid boolean: ${value}`, undefined, this.named(name));
    return value === 'true';
  }

  oneOf<const T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = this.text(name);
    const known = values.find((it) => it === value);
    if (value !== undefined && known === undefined) {
      throw invalid(`Invalid ${name}: must be one of ${values.join(', ')}`, undefined, this.named(name));
    }
    return known;
  }

  group(name: string): Params | undefined {
    this.#read.add(name);
    const value = this.#tree[name];
    if (value === undefined) return undefined;
    if (typeof value === 'string') throw invalid('Invalid object', 'parameter_invalid', this.named(name));
    const group = new Params(value, this.named(name));
    this.#groups.push(group);
    return group;
  }

  /** The groups of a list, in order. */
  groups(name: string): readonly Params[] {
    const list = this.group(name);
    if (list === undefined) return [];
    return Object.keys(list.#tree).flatMap((n) => list.group(n) ?? []);
  }

  /** `metadata`, merged over what is there; an empty value takes a member away. */
  metadata(before: Readonly<Record<string, string>> = {}): Record<string, string> {
    this.#read.add('metadata');
    const value = this.#tree.metadata;
    if (value === undefined) return { ...before };
    if (value === '') return {};
    const merged: Record<string, string> = { ...before };
    for (const [name, entry] of Object.entries(value)) {
      if (typeof entry !== 'string' || name.length > 40 || entry.length > 500) {
        throw invalid('Metadata: at most 40 characters a name and 500 a value', undefined, 'metadata');
      }
      if (entry === '') delete merged[name];
      else merged[name] = entry;
    }
    if (Object.keys(merged).length > 50) throw invalid('You can have up to 50 metadata keys', undefined, 'metadata');
    return merged;
  }

  /** `created`: a moment, or a range of them. */
  created(): (seconds: number) => boolean {
    this.#read.add('created');
    const value = this.#tree.created;
    if (value === undefined) return () => true;
    if (typeof value === 'string') return (seconds) => seconds === Number(value);
    const range = new Params(value, 'created');
    const [gt, gte, lt, lte] = ['gt', 'gte', 'lt', 'lte'].map((name) => range.integer(name));
    range.nothingElse();
    return (seconds) =>
      (gt === undefined || seconds > gt) &&
      (gte === undefined || seconds >= gte) &&
      (lt === undefined || seconds < lt) &&
      (lte === undefined || seconds <= lte);
  }

  /** Paths to expand. */
  expand(): readonly string[] {
    const value = this.#tree.expand;
    return typeof value === 'object' ? Object.values(value).filter((path) => typeof path === 'string') : [];
  }

  /** @throws Fault where something was given that nobody has read */
  nothingElse(): void {
    const unknown = Object.keys(this.#tree).find((name) => !this.#read.has(name));
    if (unknown !== undefined) {
      const param = this.named(unknown);
      throw invalid(`Received unknown parameter: ${param}`, 'parameter_unknown', param);
    }
    for (const group of this.#groups) group.nothingElse();
  }
}
