// The naive bridge: what a good developer writes in an afternoon. Hono in front, one child behind,
// text concatenated and split at newlines, every message parsed and serialised. Usage: naive.mjs PORT COMMAND ARGS…
import { spawn } from 'node:child_process';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

const TIMEOUT_MS = 30_000;
const [port, command, ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
const pending = new Map();
let nextId = 1;
let buffer = '';

child.stdout.setEncoding('utf8');
child.stdout.on('data', (chunk) => {
  buffer += chunk;
  const lines = buffer.split('\n');
  buffer = lines.pop();
  for (const line of lines) {
    if (line.trim() === '') continue;
    const message = JSON.parse(line);
    const waiting = pending.get(message.id);
    if (waiting === undefined) continue;
    pending.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.error) waiting.reject(new Error(message.error.message));
    else waiting.resolve(message.result);
  }
});
child.on('exit', (code) => process.exit(code ?? 1));

function request(method, params) {
  return new Promise((resolve, reject) => {
    const id = nextId++;
    const timer = setTimeout(() => {
      pending.delete(id);
      reject(new Error('time-out'));
    }, TIMEOUT_MS);
    pending.set(id, { resolve, reject, timer });
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
  });
}

await request('initialize', {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'naive', version: '1.0.0' },
});
child.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');

const app = new Hono();
app.onError((error, c) => c.json({ error: error.message }, 502));
app.post('/mcp/tools/:tool', async (c) =>
  c.json(await request('tools/call', { name: c.req.param('tool'), arguments: await c.req.json() })),
);
serve({ fetch: app.fetch, port: Number(port), hostname: '127.0.0.1' });
process.on('SIGTERM', () => process.exit(0));
