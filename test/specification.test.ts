/** Holds SPECIFICATION.md against the tests that it names, so that no promise outlives its proof. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');

interface Row {
  readonly id: string;
  readonly promise: string;
  readonly figure: string;
  /** `file › describe › test`, the file under test/. */
  readonly proofs: readonly string[];
}

/** Rows of the acceptance list that are built: each must be there. */
const REQUIRED: readonly string[] = [
  ...span('C', 1, 19),
  ...span('Q', 1, 9),
  ...span('I', 1, 4),
  ...span('I', 6, 18),
  ...span('I', 19, 20),
  ...span('L', 1, 11),
  ...span('B', 1, 7),
  ...span('P', 1, 8),
  ...span('S', 1, 11),
  ...span('D', 1, 11),
];

function span(letter: string, from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, n) => `${letter}${from + n}`);
}

/** The rows of all tables that have the four columns. */
function rowsOf(markdown: string): Row[] {
  const rows: Row[] = [];
  let inTable = false;
  for (const line of markdown.split('\n')) {
    if (!line.startsWith('|')) inTable = false;
    else if (/^\| row \| promise \| figure \| test \|$/.test(line)) inTable = true;
    else if (inTable && !/^\|[ |-]+\|$/.test(line)) {
      const cells = line.slice(1, -1).split(/(?<!\\)\|/);
      expect(cells, line).toHaveLength(4);
      const [id = '', promise = '', figure = '', test = ''] = cells.map((cell) => cell.trim());
      rows.push({ id, promise, figure, proofs: [...test.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '') });
    }
  }
  return rows;
}

const START = /^(\s*)(describe|it|test)(?=[.(<])/;
const QUOTED = /^(['"`])((?:\\.|(?!\1).)*)\1/;

/**
 * The title in a call of describe, it or test that begins in this line. A table of cases comes first where there is
 * one; the formatter puts what follows it behind `)(`, on the line that closes the table or on the next one.
 */
function titleAt(lines: readonly string[], at: number, indent: string): string | undefined {
  const plain = /^\s*\w+(?:\.\w+)*\((?=['"`])/.exec(lines[at] ?? '');
  if (plain) return quoted((lines[at] ?? '').slice(plain[0].length));
  // Too long for one line: the title is the next.
  if (/^\s*(?:describe|it|test)\($/.test(lines[at] ?? '')) return quoted((lines[at + 1] ?? '').trim());
  for (let i = at; i < lines.length; i++) {
    const line = lines[i] ?? '';
    if (i > at && line.startsWith(`${indent}});`)) return undefined;
    if (i > at && !new RegExp(`^${indent}[\\]})]`).test(line)) continue;
    const behind = /\)\((?=['"`]|$)/.exec(line);
    if (behind === null) continue;
    const rest = line.slice(behind.index + 2);
    return quoted(rest === '' ? (lines[i + 1] ?? '').trim() : rest);
  }
  return undefined;
}

function quoted(text: string): string | undefined {
  return QUOTED.exec(text)?.[2]?.replace(/\\(.)/g, '$1');
}

/** Every test of a file as `describe › test`, with the placeholders of `each` as they are written. */
function testsOf(source: string, file: string): ReadonlySet<string> {
  const lines = source.split('\n');
  const titles = new Set<string>();
  let groups: { readonly indent: string; readonly title: string }[] = [];
  for (const [at, line] of lines.entries()) {
    groups = groups.filter(({ indent }) => !line.startsWith(`${indent}}`));
    const [, indent = '', kind] = START.exec(line) ?? [];
    if (kind === undefined) continue;
    const title = titleAt(lines, at, indent);
    if (title === undefined) throw new Error(`${file}:${at + 1} has a title that cannot be read`);
    if (kind === 'describe') groups.push({ indent, title });
    else titles.add([...groups.map((group) => group.title), title].join(' › '));
  }
  return titles;
}

const rows = rowsOf(readFileSync(join(ROOT, 'SPECIFICATION.md'), 'utf8'));

it('every row is there once, and says what is promised in a sentence', () => {
  const ids = rows.map(({ id }) => id);
  expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  expect(REQUIRED.filter((id) => !ids.includes(id))).toEqual([]);
  for (const { id, promise, proofs } of rows) {
    expect(id).toMatch(/^([A-Z]{1,2}\d+|\d\.\d+)$/);
    expect(promise, id).toMatch(/^\S.*\.$/);
    expect(proofs, `${id} names no test`).not.toEqual([]);
  }
});

it('every test that a row names exists', () => {
  const known = new Map<string, ReadonlySet<string>>();
  const scripts = readFileSync(join(ROOT, '.ci/run'), 'utf8');
  const missing: string[] = [];
  for (const { id, proofs } of rows) {
    for (const proof of proofs) {
      const [file = '', ...titles] = proof.split(' › ');
      const path = join(ROOT, 'test', file);
      if (!existsSync(path)) missing.push(`${id}: no file test/${file}`);
      else if (titles.length === 0) {
        // A script of its own is its own test, where every change is made to pass it.
        if (!file.startsWith('smoke/') || !scripts.includes(`test/${file}`)) missing.push(`${id}: ${file} is not run`);
      } else {
        const tests = known.get(file) ?? testsOf(readFileSync(path, 'utf8'), file);
        known.set(file, tests);
        if (!tests.has(titles.join(' › '))) missing.push(`${id}: no test "${titles.join(' › ')}" in test/${file}`);
      }
    }
  }
  expect(missing).toEqual([]);
});

it('titles are read from every form that a test can have', () => {
  const source = `
it('plain', () => {});
it.each(['a'])('each %s', () => {});
describe('group', () => {
  test.each([
    ['x)(', 1],
  ])('table\\'s %s', () => {
    it2('not one');
  });
  it.each<[string]>([
    ['y'],
  ] as const)("typed %s", () => {});
  test.runIf(process.platform === 'linux')(
    'conditional',
    () => {},
  );
  it(
    'long',
    () => {},
  );
});
test("behind the group", () => {});
`;
  expect([...testsOf(source, 'x')]).toEqual([
    'plain',
    'each %s',
    "group › table's %s",
    'group › typed %s',
    'group › conditional',
    'group › long',
    'behind the group',
  ]);
});
