import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Takes whatever is sent, or never answers; writes its port and ends with the process that started it. */
const SOURCE = `
const { createServer } = require('node:http');
const { writeFileSync } = require('node:fs');
const [, file, mood] = process.argv;
const server = createServer((request, response) => {
  request.resume();
  if (mood === 'takes') request.on('end', () => response.end());
});
server.listen(0, '127.0.0.1', () => writeFileSync(file, String(server.address().port)));
process.stdin.on('end', () => process.exit(0)).resume();
`;

/** How long Node may take to start. */
const START_MS = 10_000;

/** Starts a collector beside a subject and says where it is; it ends with the benchmark. */
export function startCollector(dir: string, mood: 'takes' | 'hangs'): string {
  const file = join(dir, 'collector-port');
  const child = spawn(process.execPath, ['-e', SOURCE, file, mood], { stdio: ['pipe', 'ignore', 'inherit'] });
  child.unref();
  // The environment of a subject is made in one go: the port is waited for here.
  const giveUpAt = performance.now() + START_MS;
  while (performance.now() < giveUpAt) {
    try {
      const port = readFileSync(file, 'utf8');
      if (port !== '') return `http://127.0.0.1:${port}`;
    } catch {
      // Not yet.
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  throw new Error(`the collector did not start within ${START_MS} ms`);
}
