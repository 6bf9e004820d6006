/**
 * What a stranger does in the first minute: `npm start`, then the README's own curl command. Run on a clone, by any
 * Node >= 20; ends with a non-zero code and everything that was printed when the answer is not real rows.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const ROOT = resolve(import.meta.dirname, '../..');
const PATIENCE_MS = 240_000;

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** The first curl command of the README, aimed at `port`. */
function curlOfReadme(port) {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const command = /^curl -s (?:[^\\\n]|\\\n)*/m.exec(readme)?.[0];
  if (command === undefined || !command.includes('localhost:3000')) throw new Error('the README has no curl command');
  return command.replace('localhost:3000', `127.0.0.1:${port}`);
}

/** The arguments of the README's Python call. */
function pythonOfReadme() {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  return JSON.parse(/^ +json=(\{.*\}),$/m.exec(readme)?.[1] ?? 'the README has no Python call');
}

const port = await freePort();
const started = Date.now();
const output = [];
const fleet = spawn('npm', ['start'], {
  cwd: ROOT,
  detached: true,
  env: { ...process.env, PORT: String(port), OPS_PORT: String(await freePort()) },
  stdio: ['ignore', 'pipe', 'pipe'],
});
for (const stream of [fleet.stdout, fleet.stderr]) stream.on('data', (text) => output.push(String(text)));

function fail(why) {
  console.error(`${why}\n--- what npm start printed:\n${output.join('')}`);
  process.exitCode = 1;
}

try {
  let answer = '';
  while (Date.now() - started < PATIENCE_MS && fleet.exitCode === null) {
    try {
      answer = execFileSync('sh', ['-c', curlOfReadme(port)], { encoding: 'utf8' });
      if (JSON.parse(answer).structuredContent?.rows?.length === 3) break;
    } catch {
      // not listening yet
    }
    await delay(250);
  }
  const rows = answer === '' ? undefined : JSON.parse(answer).structuredContent?.rows;
  if (rows?.length === 3) console.log(`3 rows after ${Date.now() - started} ms, the first: ${JSON.stringify(rows[0])}`);
  else fail(`no rows from ${curlOfReadme(port)}: ${answer}`);
  const called = await fetch(`http://127.0.0.1:${port}/postgres/mcp/tools/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(pythonOfReadme()),
  });
  const result = await called.json();
  if (!(result.structuredContent?.rows?.length > 0)) fail(`the README's Python call gives ${JSON.stringify(result)}`);
} finally {
  if (fleet.exitCode === null) {
    process.kill(-fleet.pid, 'SIGTERM');
    await Promise.race([once(fleet, 'exit'), delay(20_000, undefined, { ref: false })]);
  }
  if (fleet.exitCode === null && fleet.signalCode === null) {
    fail('npm start did not end within 20 s of SIGTERM');
    process.kill(-fleet.pid, 'SIGKILL');
  }
}
