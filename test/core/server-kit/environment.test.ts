import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  EnvironmentError,
  flag,
  integer,
  optionalText,
  readEnvironment,
  requiredText,
  serviceUrl,
} from '#core/server-kit/environment.ts';

const VARIABLES = {
  TOKEN: requiredText('a token'),
  NOTE: optionalText('a note'),
  COUNT: integer('how many', { fallback: 4, min: 1, max: 10 }),
  STRICT: flag('whether', false),
};

test('values are parsed, and defaults fill what is not set or empty', () => {
  expect(readEnvironment(VARIABLES, { TOKEN: 't', NOTE: '', COUNT: '7', STRICT: '1' })).toEqual({
    TOKEN: 't',
    NOTE: undefined,
    COUNT: 7,
    STRICT: true,
  });
  expect(readEnvironment(VARIABLES, { TOKEN: 't' })).toMatchObject({ COUNT: 4, STRICT: false });
});

test('a secret may come from a file, without its last line break', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fleet-env-'));
  try {
    await writeFile(join(folder, 'token'), 'from a file\n');
    expect(readEnvironment(VARIABLES, { TOKEN_FILE: join(folder, 'token') }).TOKEN).toBe('from a file');
    expect(readEnvironment(VARIABLES, { TOKEN: 'own', TOKEN_FILE: join(folder, 'token') }).TOKEN).toBe('own');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('all problems are told at once, without values and paths', () => {
  const source = { TOKEN_FILE: '/does/not/exist', COUNT: '11-secret', STRICT: 'perhaps-secret' };
  let problems: readonly string[] = [];
  try {
    readEnvironment(VARIABLES, source);
  } catch (error) {
    if (error instanceof EnvironmentError) problems = error.problems;
  }
  expect(problems).toEqual([
    'TOKEN: cannot read the file named by TOKEN_FILE (ENOENT)',
    'COUNT: must be a whole number from 1 to 10',
    'STRICT: must be true or false',
  ]);
});

test.each(['0', '11', '1.5', '1e1', '', ' 3', '0x3', 'NaN'])('%j is no whole number from 1 to 10', (text) => {
  const read = () => readEnvironment({ COUNT: VARIABLES.COUNT }, { COUNT: text });
  if (text === '') expect(read().COUNT).toBe(4);
  else expect(read).toThrow(EnvironmentError);
});

const ADDRESS = { API_URL: serviceUrl('where the service is', 'https://api.example.com') };

test.each([
  ['', 'https://api.example.com'],
  ['https://proxy.example.com/api/', 'https://proxy.example.com/api'],
  ['http://127.0.0.1:4010/', 'http://127.0.0.1:4010'],
  ['http://localhost:4010', 'http://localhost:4010'],
  ['http://[::1]:4010', 'http://[::1]:4010'],
])('%j is an address to speak to', (text, expected) => {
  expect(readEnvironment(ADDRESS, { API_URL: text }).API_URL).toBe(expected);
});

test.each([
  'http://api.example.com',
  'http://127.0.0.1.example.com',
  'ftp://127.0.0.1',
  'https://user:canary@example.com',
  'https://example.com/?key=canary',
  'example.com',
])('%j is no address that a secret may be sent to', (text) => {
  const read = () => readEnvironment(ADDRESS, { API_URL: text });
  expect(read).toThrow('API_URL: must be an https address, or http on 127.0.0.1, without credentials and query');
});
