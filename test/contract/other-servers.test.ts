/** Other people's servers, unchanged, with the official client as oracle: same calls, same results. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FAKE_CHILD, Fleet } from '../support/fleet.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PACKAGES = join(ROOT, 'node_modules/@modelcontextprotocol');

interface Subject {
  readonly args: readonly string[];
  readonly calls: readonly { readonly tool: string; readonly arguments: Readonly<Record<string, unknown>> }[];
}

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'other-servers-'));
  writeFileSync(join(dir, 'hello.txt'), 'hello, wörld\n');
});
afterAll(() => rmSync(dir, { recursive: true }));

const subjects: Readonly<Record<string, () => Subject>> = {
  everything: () => ({
    args: [join(PACKAGES, 'server-everything/dist/index.js'), 'stdio'],
    calls: [
      { tool: 'echo', arguments: { message: 'grüße "quoted"\n' } },
      { tool: 'get-sum', arguments: { a: 2, b: 40 } },
      { tool: 'get-tiny-image', arguments: {} },
      { tool: 'get-annotated-message', arguments: { messageType: 'error', includeImage: true } },
      { tool: 'get-structured-content', arguments: { location: 'Chicago' } },
    ],
  }),
  filesystem: () => ({
    args: [join(PACKAGES, 'server-filesystem/dist/index.js'), dir],
    calls: [
      { tool: 'list_directory', arguments: { path: dir } },
      { tool: 'read_text_file', arguments: { path: join(dir, 'hello.txt') } },
      { tool: 'read_text_file', arguments: { path: '/etc/hostname' } },
    ],
  }),
  memory: () => ({
    args: [join(PACKAGES, 'server-memory/dist/index.js')],
    calls: [
      { tool: 'read_graph', arguments: {} },
      { tool: 'search_nodes', arguments: { query: 'nothing' } },
    ],
  }),
  modern: () => ({
    args: [join(ROOT, 'test/fixtures/modern-server.mjs')],
    calls: [
      { tool: 'add', arguments: { a: 2, b: 0.5 } },
      { tool: 'fail', arguments: {} },
    ],
  }),
};

/** What only a modern server adds to every result; the oracle speaks the legacy era. */
function withoutEnvelope(result: Record<string, unknown>): Record<string, unknown> {
  const { resultType: _, _meta, ...rest } = result;
  return rest;
}

describe.each(Object.entries(subjects))('%s', (name, subject) => {
  it('lists the same tools and answers the same calls as the official client', async () => {
    const { args, calls } = subject();
    const oracle = new Client({ name: 'oracle', version: '1.0.0' });
    const env = { PATH: process.env.PATH ?? '', MEMORY_FILE_PATH: join(dir, 'memory.json') };
    await oracle.connect(
      new StdioClientTransport({ command: process.execPath, args: [...args], env, stderr: 'ignore' }),
    );
    await using fleet = await Fleet.start({ args: ['serve', '--name', name, '--', process.execPath, ...args] });
    try {
      const tools = (await oracle.listTools()).tools.sort((a, b) => (a.name < b.name ? -1 : 1));
      const listed = (await fleet.request(`/${name}/mcp/tools`, undefined, { method: 'GET' })).json.tools;
      expect(listed.map((tool: { name: string }) => tool.name)).toEqual(tools.map((tool) => tool.name));
      for (const [i, tool] of tools.entries()) {
        expect(listed[i].inputSchema).toEqual(tool.inputSchema);
        expect(listed[i].description).toEqual(tool.description);
      }
      for (const call of calls) {
        const expected = await oracle.callTool({ name: call.tool, arguments: call.arguments }).catch((error) => error);
        const answer = await fleet.request(`/${name}/mcp/tools/${call.tool}`, call.arguments);
        expect(answer.status, answer.text).toBe(200);
        expect(withoutEnvelope(answer.json)).toEqual(withoutEnvelope(expected as Record<string, unknown>));
        expect(answer.headers['x-tool-error']).toBe(expected.isError ? 'true' : undefined);
      }
    } finally {
      await oracle.close();
    }
  });
});

it('speaks the modern era where the server does, and says so', async () => {
  await using fleet = await Fleet.start({
    args: ['serve', '--name', 'modern', '--', process.execPath, join(ROOT, 'test/fixtures/modern-server.mjs')],
  });
  const { json } = await fleet.request('/modern/mcp/tools/add', { a: 1, b: 1 });
  expect(json).toMatchObject({ resultType: 'complete', structuredContent: { sum: 2 } });
});

it('passes unknown fields and numbers on byte for byte, in either key order', async () => {
  await using fleet = await Fleet.start({ args: ['serve', '--name', 'fake', '--', process.execPath, FAKE_CHILD] });
  const result =
    '{ "content":[{"type":"hologram","x-vendor":[1.0,1e2,{"é":"\\u00e9"}]}],"isError" : false,"future":null }';
  for (const line of [
    `{"jsonrpc":"2.0","id":$ID,"result":${result}}`,
    `{"result":${result},"jsonrpc":"2.0","id":$ID}`,
    `{ "id" : $ID , "later": {"a":[]}, "result" : ${result} , "jsonrpc" : "2.0" }`,
  ]) {
    expect((await fleet.call('raw', { lines: [line] })).text).toBe(result);
  }
  expect((await fleet.call('big-int')).text).toContain('12345678901234567890');
});
