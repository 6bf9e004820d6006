/** A metric as a query names it, with the labels that it is matched by. */
export interface Selector {
  readonly metric: string;
  readonly labels: readonly string[];
}

/** What of the world outside itself a query relies on. */
export interface QueryNames {
  readonly selectors: readonly Selector[];
  /** Labels that it groups and joins by. */
  readonly groupings: readonly string[];
}

const TOKEN = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[[^\]]*\]|[a-zA-Z_:][a-zA-Z0-9_:]*|[{}()]|[^\s\w]|\d[\w.]*/g;
const IDENTIFIER = /^[a-zA-Z_:]/;
const GROUPING: ReadonlySet<string> = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);
const OPERATOR: ReadonlySet<string> = new Set(['and', 'or', 'unless', 'offset', 'bool', 'atan2', 'inf', 'nan']);
const AGGREGATION: ReadonlySet<string> = new Set(['sum', 'avg', 'count', 'min', 'max', 'topk', 'bottomk', 'quantile']);

/**
 * The names in a query. It knows no more of PromQL than where a name is a metric, a label or a word of the language: what
 * is left over counts as a metric, so that a word it does not know is noticed.
 */
export function namesIn(query: string): QueryNames {
  const tokens: readonly string[] = withoutVariables(query).match(TOKEN) ?? [];
  const selectors: Selector[] = [];
  const groupings: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? '';
    if (!IDENTIFIER.test(token) || OPERATOR.has(token)) continue;
    if (GROUPING.has(token)) {
      if (tokens[at + 1] !== '(') continue;
      const end = tokens.indexOf(')', at);
      groupings.push(...tokens.slice(at, end).filter((name) => IDENTIFIER.test(name) && !GROUPING.has(name)));
      at = end;
    } else if (tokens[at + 1] === '{') {
      const end = tokens.indexOf('}', at);
      selectors.push({ metric: token, labels: tokens.slice(at + 1, end).filter((name) => IDENTIFIER.test(name)) });
      at = end;
    } else if (tokens[at + 1] !== '(' && !AGGREGATION.has(token)) {
      selectors.push({ metric: token, labels: [] });
    }
  }
  return { selectors, groupings };
}

/** What Grafana fills in before Prometheus sees the query; tags of a span become matchers. */
export function withoutVariables(query: string, values: Readonly<Record<string, string>> = {}): string {
  return query
    .replaceAll('$$', '$')
    .replaceAll('{$__tags}', '')
    .replaceAll(/\$\{__span[^}]*\}/g, '.*')
    .replaceAll(/\$(__)?[a-z_]+/g, (name) => values[name] ?? (name.startsWith('$__') ? '1m' : '.*'));
}
