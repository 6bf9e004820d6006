import { describe, expect, it } from 'vitest';
import { createCatalog, type Tool, type ToolDefinition } from '#core/mcp/catalog.ts';
import { toolPolicy } from '../../support/calls.ts';

const POLICY = toolPolicy({ effect: 'write' });
const READ = toolPolicy();
const policyFor = (name: string) => (name.startsWith('list_') ? READ : POLICY);

function define(name: string, properties: Record<string, unknown> = {}, more: object = {}): ToolDefinition {
  return { name, inputSchema: { type: 'object', properties }, ...more };
}

const names = (tools: readonly Tool[]) => tools.map((tool) => tool.name);

describe('a catalog', () => {
  it('holds tools by name, with definition, policy and validator', async () => {
    const definition = define('post', { text: { type: 'string' } }, { 'x-vendor': [1] });
    const catalog = await createCatalog([definition, define('list_all')], policyFor);
    expect(names(catalog.tools)).toEqual(['list_all', 'post']);
    expect(catalog.get('post')?.definition).toBe(definition);
    expect(catalog.get('post')?.policy).toBe(POLICY);
    expect(catalog.get('list_all')?.policy).toBe(READ);
    expect(catalog.get('post')?.rejected).toBeUndefined();
    expect(catalog.get('post')?.validate({ text: 'x' })).toBeUndefined();
    expect(catalog.get('post')?.validate({ text: 1 })).toEqual([
      { pointer: '/text', keyword: 'type', message: 'must be string' },
    ]);
    expect(catalog.get('nothing')).toBeUndefined();
    expect(catalog.get('constructor')).toBeUndefined();
  });

  it.each<[unknown, boolean]>([
    [{ 'mcp-bridge-fleet/reconcile': true, other: 1 }, true],
    [{ 'mcp-bridge-fleet/reconcile': 'true' }, false],
    [{}, false],
    [undefined, false],
    [null, false],
    ['mcp-bridge-fleet/reconcile', false],
  ])('knows which tools say that they can look back: %j', async (_meta, reconciles) => {
    const catalog = await createCatalog([define('pay', {}, { _meta })], policyFor);
    expect(catalog.get('pay')).toMatchObject({ reconciles });
    const changed = await createCatalog([define('pay')], policyFor, catalog);
    expect(changed.get('pay')).toMatchObject({ reconciles: false });
  });

  it('lists by name, whatever the order of the child', async () => {
    const one = await createCatalog([define('b'), define('a'), define('B')], policyFor);
    const two = await createCatalog([define('B'), define('b'), define('a')], policyFor);
    expect(names(one.tools)).toEqual(['B', 'a', 'b']);
    expect(names(two.tools)).toEqual(names(one.tools));
  });

  it('leaves out what cannot be addressed, and says so', async () => {
    const broken = [null, 'x', {}, { name: 7 }] as unknown as ToolDefinition[];
    const bad = ['', 'a b', 'a/b', '../x', 'ünï', 'x'.repeat(129), 'a\nb'].map((name) => define(name));
    const catalog = await createCatalog([...broken, ...bad, define('good')], policyFor);
    expect(names(catalog.tools)).toEqual(['good']);
    expect(catalog.leftOut).toHaveLength(11);
    expect(catalog.leftOut.every((line) => /^[\x20-\x7e]{1,200}$/.test(line))).toBe(true);
  });

  it('takes the first of two tools of one name', async () => {
    const catalog = await createCatalog([define('echo', { a: {} }), define('echo', { b: {} })], policyFor);
    expect(catalog.get('echo')?.definition.inputSchema.properties).toEqual({ a: {} });
    expect(catalog.leftOut).toEqual(['"echo": an earlier tool has the same name']);
  });

  it('has at most 1000 tools, the first ones, and says how many more there were', async () => {
    const listed = Array.from({ length: 1_200 }, (_, n) => define(`tool_${n}`));
    const catalog = await createCatalog([define('a b'), ...listed], policyFor);
    expect(catalog.tools).toHaveLength(1_000);
    expect(catalog.get('tool_999')).toBeDefined();
    expect(catalog.get('tool_1000')).toBeUndefined();
    expect(catalog.leftOut.at(-1)).toBe('200 more: a bridge has at most 1000 tools');
    expect(await createCatalog([define('a b'), ...listed], policyFor, catalog)).toBe(catalog);
  });

  it('keeps a tool with a hostile schema as rejected, and the others as they are', async () => {
    const hostile = define('hostile', { a: { type: 'string', pattern: '^(a+)+$' } });
    const none = { name: 'none' } as unknown as ToolDefinition;
    const catalog = await createCatalog([hostile, none, define('good')], policyFor);
    expect(catalog.get('hostile')?.rejected).toMatch(/exponential/);
    expect(catalog.get('none')?.rejected).toBe('it is not an object');
    expect(catalog.get('good')?.rejected).toBeUndefined();
    expect(() => catalog.get('hostile')?.validate({ a: 'x' })).toThrow(
      expect.objectContaining({ code: 'schema_rejected', executed: 'no' }),
    );
  });

  it('survives a definition nested too deep to be listed', async () => {
    let deep: unknown = {};
    for (let n = 0; n < 200_000; n += 1) deep = [deep];
    const catalog = await createCatalog([define('deep', {}, { deep }), define('good')], policyFor);
    expect(names(catalog.tools)).toEqual(['good']);
  });
});

describe('a catalog made from a previous one', () => {
  it('is the previous one when nothing changed', async () => {
    const list = () => [define('a', { x: { type: 'string' } }), define('b'), define('not valid')];
    const first = await createCatalog(list(), policyFor);
    expect(await createCatalog(list().reverse(), policyFor, first)).toBe(first);
  });

  it('takes over what did not change and makes the rest anew', async () => {
    const first = await createCatalog([define('a'), define('b', { x: { type: 'string' } }), define('c')], policyFor);
    const changed = define('b', { x: { type: 'integer' } });
    const second = await createCatalog([define('a'), changed, define('d')], policyFor, first);
    expect(names(second.tools)).toEqual(['a', 'b', 'd']);
    expect(second.get('a')).toBe(first.get('a'));
    expect(second.get('b')?.validate({ x: 1 })).toBeUndefined();
    expect(first.get('b')?.validate({ x: 1 })).toHaveLength(1);
  });

  it('shows a new description though the schema is the same', async () => {
    const first = await createCatalog([define('a', {}, { description: 'old' })], policyFor);
    const second = await createCatalog([define('a', {}, { description: 'new' })], policyFor, first);
    expect(second.get('a')?.definition.description).toBe('new');
  });

  it('takes a changed policy', async () => {
    const first = await createCatalog([define('a')], policyFor);
    const second = await createCatalog([define('a')], () => READ, first);
    expect(second.get('a')?.policy).toBe(READ);
  });

  it('forgets a tool that the child no longer lists', async () => {
    const first = await createCatalog([define('a'), define('b')], policyFor);
    const second = await createCatalog([define('a')], policyFor, first);
    expect(second.get('b')).toBeUndefined();
  });
});

describe('near names', () => {
  const catalogOf = (...tools: string[]) =>
    createCatalog(
      tools.map((name) => define(name)),
      policyFor,
    );

  it('are the closest ones, at most three', async () => {
    const catalog = await catalogOf('post_message', 'post_massage', 'post_messages', 'post_messag', 'list_users');
    expect(catalog.near('post_mesage')).toHaveLength(3);
    expect(catalog.near('post_mesage')[0]).toMatch(/^post_messag/);
    expect(catalog.near('postMessage')[0]).toBe('post_message');
    expect(catalog.near('lsit_users')).toEqual(['list_users']);
  });

  it('are none for a name that resembles nothing, or is absurdly long', async () => {
    const catalog = await catalogOf('post_message', 'list_users');
    expect(catalog.near('zzz')).toEqual([]);
    expect(catalog.near('')).toEqual([]);
    expect(catalog.near('post_message'.repeat(10))).toEqual([]);
  });
});
