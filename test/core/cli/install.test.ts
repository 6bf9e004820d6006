import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const INSTALL = resolve(import.meta.dirname, '../../../core/cli/install.mjs');
const wanted = { a: { version: '1.0.0', integrity: 'x' }, b: { version: '2.0.0', optional: true } };
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'fleet-install-'));
  mkdirSync(join(root, 'core/cli'), { recursive: true });
  mkdirSync(join(root, 'bin'));
  cpSync(INSTALL, join(root, 'core/cli/install.mjs'));
  writeFileSync(join(root, 'package-lock.json'), lock(wanted));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function lock(packages: Readonly<Record<string, object>>): string {
  const paths = Object.entries(packages).map(([name, entry]) => [`node_modules/${name}`, entry]);
  return JSON.stringify({ packages: { '': {}, ...Object.fromEntries(paths) } });
}

function executable(path: string, script: string): void {
  mkdirSync(resolve(path, '..'), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

/** Runs it with an npm that does `script` and notes its arguments. */
function run(script = ':') {
  executable(join(root, 'bin/npm'), `echo "$@" >> '${root}/npm-ran'\n${script}`);
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'core/cli/install.mjs')], {
    encoding: 'utf8',
    env: { PATH: `${join(root, 'bin')}:/usr/bin:/bin` },
  });
  const ran = existsSync(join(root, 'npm-ran')) ? readFileSync(join(root, 'npm-ran'), 'utf8').trim().split('\n') : [];
  return { status, stderr, ran };
}

/** As after an installation; `seconds` from the time of package-lock.json. */
function installed(packages: Readonly<Record<string, object>>, seconds: number): void {
  mkdirSync(join(root, 'node_modules'));
  const path = join(root, 'node_modules/.package-lock.json');
  writeFileSync(path, lock(packages));
  utimesSync(join(root, 'package-lock.json'), 1_000_000, 1_000_000);
  utimesSync(path, 1_000_000 + seconds, 1_000_000 + seconds);
}

it('without node_modules npm ci runs once, development packages included, and one line says so', () => {
  const { status, stderr, ran } = run();
  expect(ran).toEqual([expect.stringMatching(/^ci --include=dev /)]);
  expect([status, stderr]).toEqual([0, 'fleet: installing the packages of package-lock.json (npm ci), once\n']);
});

it.each([
  ['is newer than package-lock.json', wanted, 1],
  ['is older and the same', wanted, -1],
  ['is older and the same but for an optional package', { a: wanted.a }, -1],
])('nothing is done where node_modules %s', (_, packages, seconds) => {
  installed(packages, seconds);
  expect(run()).toEqual({ status: 0, stderr: '', ran: [] });
});

it.each([
  ['another version', { a: { version: '1.0.1', integrity: 'x' } }],
  ['other content', { a: { version: '1.0.0', integrity: 'y' } }],
  ['a package less', {}],
  ['a package more', { ...wanted, c: { version: '1.0.0' } }],
])('npm ci runs where node_modules is older and has %s', (_, packages) => {
  installed(packages, -1);
  expect(run().ran).toHaveLength(1);
});

it('where npm ci fails it says what to do and ends with 1', () => {
  const { status, stderr } = run('exit 7');
  expect(status).toBe(1);
  expect(stderr).toContain('fleet: npm ci failed; see above, then try again with: npm ci\n');
});

it('where the packages bring no Node that is new enough it says what to do and ends with 1', () => {
  executable(join(root, 'node_modules/.bin/node'), 'echo v20.20.2');
  const { status, stderr } = run();
  expect(status).toBe(1);
  expect(stderr).toContain('fleet: Node 24.12 or newer is needed and the package "node" did not bring it');
});
