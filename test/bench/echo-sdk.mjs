// The same three tools as echo.mjs on the official SDK: what a usual server costs behind the bridge.
import { setTimeout as delay } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';
import { blobLine } from './blob.mjs';

const text = (value) => ({ content: [{ type: 'text', text: value }] });
const server = new McpServer({ name: 'bench-echo-sdk', version: '1.0.0' });
server.registerTool('echo', { inputSchema: { text: z.string() } }, (args) => text(args.text));
server.registerTool('blob', { inputSchema: { bytes: z.number().int(), tag: z.string() } }, ({ bytes, tag }) =>
  text(`${tag} ${blobLine(bytes)} ${tag}`),
);
server.registerTool('sleep', { inputSchema: { ms: z.number().int(), tag: z.string() } }, async ({ ms, tag }) => {
  await delay(ms);
  return text(`slept ${tag}`);
});
await server.connect(new StdioServerTransport());
process.stdin.on('end', () => process.exit(0));
