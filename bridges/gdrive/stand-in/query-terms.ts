import { Refusal } from './refusal.ts';
import type { DriveState, StoredFile } from './state.ts';

type Term = (file: StoredFile, drive: DriveState) => boolean;

const TEXT = String.raw`'((?:[^'\\]|\\.)*)'`;

/** The terms of Drive's query language that the stand-in knows; joined by `and` only. */
const TERMS: readonly (readonly [pattern: RegExp, term: (...values: string[]) => Term])[] = [
  [/trashed = (true|false)/, (wanted) => (file, drive) => drive.isTrashed(file) === (wanted === 'true')],
  [new RegExp(`name contains ${TEXT}`), (text) => (file) => hasPrefixes(file.name, text)],
  [new RegExp(`name = ${TEXT}`), (text) => (file) => file.name === text],
  [
    new RegExp(`fullText contains ${TEXT}`),
    (text) => (file) =>
      hasWords(`${file.name} ${file.description ?? ''} ${file.content?.toString('utf8') ?? ''}`, text),
  ],
  [new RegExp(`${TEXT} in parents`), (id) => (file, drive) => file.parent === drive.get(id).id],
  [
    new RegExp(`modifiedTime >= ${TEXT}`),
    (time) => {
      if (Number.isNaN(Date.parse(time))) throw invalid();
      return (file) => Date.parse(file.modifiedTime) >= Date.parse(time);
    },
  ],
  [new RegExp(`mimeType = ${TEXT}`), (type) => (file) => file.mimeType === type],
  [new RegExp(`mimeType contains ${TEXT}`), (part) => (file) => file.mimeType.startsWith(part)],
  [
    new RegExp(`appProperties has \\{ key=${TEXT} and value=${TEXT} \\}`),
    (key, value) => (file) => Object.hasOwn(file.appProperties, key) && file.appProperties[key] === value,
  ],
];

/** A query as a test of one file. @throws Refusal 400 where it is none */
export function parseQuery(q: string, drive: DriveState): (file: StoredFile) => boolean {
  const terms: Term[] = [];
  let rest = q;
  while (rest !== '') {
    let matched = false;
    for (const [pattern, term] of TERMS) {
      const found = new RegExp(`^(?:${pattern.source})(?: and (?=.)|$)`, 's').exec(rest);
      if (found === null) continue;
      terms.push(term(...found.slice(1).map((value) => value.replace(/\\(.)/gs, '$1'))));
      rest = rest.slice(found[0].length);
      matched = true;
      break;
    }
    if (!matched) throw invalid();
  }
  return (file) => terms.every((term) => term(file, drive));
}

function invalid(): Refusal {
  return new Refusal(400, 'invalid', 'Invalid Value');
}

function words(text: string): readonly string[] {
  return text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
}

/** Drive looks for the beginnings of words in a name. */
function hasPrefixes(name: string, text: string): boolean {
  const all = words(name);
  return words(text).every((wanted) => all.some((word) => word.startsWith(wanted)));
}

function hasWords(content: string, text: string): boolean {
  const all = new Set(words(content));
  return words(text).every((wanted) => all.has(wanted));
}
