import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { REDIRECT } from './installed.ts';

/** Runs `code` under the preload; what it wrote to stdout, or why it did not start. */
function run(code: string, hosts: object = {}): string {
  const { stdout, stderr } = spawnSync(process.execPath, ['--import', REDIRECT, '--input-type=module', '-e', code], {
    env: { REDIRECT_HOSTS: JSON.stringify(hosts) },
    encoding: 'utf8',
    timeout: 20_000,
  });
  return stdout || stderr;
}

const REFUSED = /^redirect\.mjs: a connection to \S+ was refused$/;

it.each([
  ['fetch', "await fetch('https://vendor.example/').catch((error) => console.log(error.cause.message))"],
  [
    'https.get',
    "import { get } from 'node:https'; get('https://vendor.example/').on('error', (error) => console.log(error.message))",
  ],
  [
    'a plain socket',
    "import { connect } from 'node:net'; connect(443, '192.0.2.1').on('error', (error) => console.log(error.message))",
  ],
])('a host that is not named is out of reach of %s', (_, code) => {
  expect(run(code).trim()).toMatch(REFUSED);
});

it.each(['http://192.0.2.1:80', 'http://vendor.example', 'https://127.0.0.1:1'])('%s is no target', (target) => {
  expect(run("console.log('started')", { 'slack.com': target })).toContain('must be http on this machine itself');
});
