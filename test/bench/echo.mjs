// The child of every subject: a stdio MCP server without SDK, so cheap that the bridge is what is measured.
// Tools: echo {text}, blob {bytes, tag} (text with quotes, backslashes and newlines), sleep {ms, tag}.
import { blobLine } from './blob.mjs';

const string = { type: 'string' };
const integer = { type: 'integer', minimum: 0 };
const schema = (properties) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
});
const TOOLS = [
  { name: 'echo', description: 'Gives the text back.', inputSchema: schema({ text: string }) },
  { name: 'blob', description: 'A text of that many bytes.', inputSchema: schema({ bytes: integer, tag: string }) },
  { name: 'sleep', description: 'Answers after that many ms.', inputSchema: schema({ ms: integer, tag: string }) },
];

/** Escaped once per size: a child that spends 2 ms in JSON.stringify would hide what a bridge spends. */
const escaped = new Map();

function blob(bytes) {
  let text = escaped.get(bytes);
  if (text === undefined) {
    text = JSON.stringify(blobLine(bytes)).slice(1, -1);
    escaped.set(bytes, text);
  }
  return text;
}

const answer = (id, result) =>
  process.stdout.write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}\n`);
const text = (json) => `{"content":[{"type":"text","text":${json}}]}`;

function call(id, { name, arguments: args }) {
  if (name === 'echo') answer(id, text(JSON.stringify(args.text)));
  else if (name === 'blob') answer(id, text(`"${args.tag} ${blob(args.bytes)} ${args.tag}"`));
  else if (name === 'sleep') setTimeout(() => answer(id, text(JSON.stringify(`slept ${args.tag}`))), args.ms);
  else fail(id, -32602, `unknown tool: ${name}`);
}

function fail(id, code, message) {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } })}\n`);
}

function receive({ id, method, params }) {
  if (id === undefined) return;
  if (method === 'tools/call') call(id, params);
  else if (method === 'tools/list') answer(id, JSON.stringify({ tools: TOOLS }));
  else if (method === 'ping') answer(id, '{}');
  else if (method === 'initialize')
    answer(
      id,
      JSON.stringify({
        protocolVersion: params.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: 'bench-echo', version: '1.0.0' },
      }),
    );
  else fail(id, -32601, `unknown method: ${method}`);
}

let rest = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  for (const line of lines) if (line !== '') receive(JSON.parse(line));
});
process.stdin.on('end', () => process.exit(0));
