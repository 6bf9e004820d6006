import { hash } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseInstant } from '#core/auth/instant.ts';
import { parseKeyFile, readKeyFile } from '#core/auth/key-file.ts';
import { entry, TemporaryKeyFile } from './support.ts';

const said = (entries: unknown): string[] =>
  parseKeyFile(JSON.stringify(entries), 'FILE').problems.map(({ where, what }) => `${where}: ${what}`);

describe('a key file', () => {
  it('is a list of entries, of which several may have one id', () => {
    const { keys, problems } = parseKeyFile(
      JSON.stringify([
        entry('a', { id: 'planner', allow: ['slack:*'], ratePerMinute: 60 }),
        entry('b', { id: 'planner', expires: '2030-01-31' }),
        entry('c', { id: 'ops@example.com', sha256: hash('sha256', 'c').toUpperCase() }),
      ]),
    );
    expect(problems).toEqual([]);
    expect(keys).toEqual([
      {
        id: 'planner',
        sha256: hash('sha256', 'a'),
        allow: ['slack:*'],
        ratePerMinute: 60,
        expiresAtMs: Number.POSITIVE_INFINITY,
      },
      {
        id: 'planner',
        sha256: hash('sha256', 'b'),
        allow: ['*:*'],
        ratePerMinute: undefined,
        expiresAtMs: Date.UTC(2030, 0, 31),
      },
      {
        id: 'ops@example.com',
        sha256: hash('sha256', 'c'),
        allow: ['*:*'],
        ratePerMinute: undefined,
        expiresAtMs: Number.POSITIVE_INFINITY,
      },
    ]);
  });

  it('may have no entry at all, so that everybody is locked out on purpose', () => {
    expect(parseKeyFile('[]')).toEqual({ keys: [], problems: [] });
  });

  it('has every mistake told by entry and member, and no value repeated', () => {
    const lines = said([
      { id: 'canary id', sha256: 'canary', allow: 'canary', ratePerMinute: 'canary', expires: 'canary' },
      'canary',
      null,
      entry('x', { ratePerMinute: 0, expires: '2030-02-30', canary: 'canary' }),
      entry('y', { allow: ['slack:*', 'canary'], ratePerMinute: 1.5 }),
      { id: 'anonymous' },
      entry('x'),
    ]);
    expect(lines.join('\n')).not.toContain('canary');
    expect(lines.map((line) => line.slice(0, line.indexOf(':')))).toEqual([
      'FILE entry 1 id',
      'FILE entry 1 allow',
      'FILE entry 1 ratePerMinute',
      'FILE entry 1 sha256',
      'FILE entry 1 expires',
      'FILE entry 2',
      'FILE entry 3',
      'FILE entry 4',
      'FILE entry 4 ratePerMinute',
      'FILE entry 4 expires',
      'FILE entry 5 allow',
      'FILE entry 5 ratePerMinute',
      'FILE entry 6 id',
      'FILE entry 6 allow',
      'FILE entry 6 sha256',
      'FILE entry 7 sha256',
    ]);
    expect(lines).toContain('FILE entry 5 allow: pattern 2 must be bridge:tool, where * stands for any characters');
    expect(lines).toContain('FILE entry 7 sha256: is that of entry 4 too; remove one');
  });

  it('that is no JSON is told by line and column, without its text', () => {
    const { problems } = parseKeyFile('[\n  {"canary": 1,}\n]', 'FILE');
    expect(problems).toEqual([{ where: 'FILE', what: 'is not valid JSON (line 2, column 16)' }]);
  });

  it.each([
    ['an object', {}],
    ['a word', 'x'],
    ['null', null],
    ['a number', 7],
  ])('that is %s is refused', (_, content) => {
    expect(said(content)).toEqual(['FILE: must be a JSON array of entries { id, sha256, allow }']);
  });

  it('cannot hold more keys than are read', () => {
    expect(said(Array.from({ length: 10_001 }, () => null))).toEqual([
      'FILE: has 10001 entries; at most 10000 are read',
    ]);
  });

  it('an id has no colon, so that it is never that of a token', () => {
    expect(said([entry('a', { id: 'jwt:agent' })])).toHaveLength(1);
  });

  it('that cannot be read is a problem without its path', () => {
    using file = new TemporaryKeyFile([]);
    const { keys, problems } = readKeyFile(join(file.folder, 'away.json'), 'FILE');
    expect(keys).toEqual([]);
    expect(problems).toEqual([
      { where: 'FILE', what: "cannot be read (ENOENT); correct the path or the file's permissions" },
    ]);
    expect(readKeyFile(file.folder, 'FILE').problems[0]?.what).toContain('EISDIR');
    chmodSync(file.path, 0o600);
    expect(readKeyFile(file.path)).toMatchObject({ keys: [], problems: [] });
  });

  it('of unreasonable size is not read', () => {
    using file = new TemporaryKeyFile([]);
    file.write(`[]${' '.repeat(9 * 1024 * 1024)}`);
    expect(readKeyFile(file.path).problems[0]?.what).toContain('at most 8388608');
  });
});

describe('a moment', () => {
  it.each([
    ['2030-01-31', Date.UTC(2030, 0, 31)],
    ['2030-01-31T12:30Z', Date.UTC(2030, 0, 31, 12, 30)],
    ['2030-01-31T12:30:15.5+02:00', Date.UTC(2030, 0, 31, 10, 30, 15, 500)],
    ['2028-02-29', Date.UTC(2028, 1, 29)],
  ])('%s is one', (text, expected) => {
    expect(parseInstant(text)).toBe(expected);
  });

  it.each([
    '2030-02-30',
    '2029-02-29',
    '2030-13-01',
    '2030-01-31T25:00Z',
    '2030-01-31T12:30',
    '31.1.2030',
    '1',
    '',
    'x',
  ])('%j is none', (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });
});
