/**
 * What is said of a bridge in several places must agree: index, folder, package, lock file, README, manifest, and what its
 * server lists. Every bridge of `bridges/index.ts` is looked at, against its stand-in; a new one needs no line here.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bridges } from '../../bridges/index.ts';
import { type Bridge, createBridge } from '../../core/bridge.ts';
import { compileFleet } from '../../core/config/compile-fleet.ts';
import { Environment } from '../../core/config/environment.ts';
import { createApp } from '../../core/http/app.ts';
import { Edge } from '../../core/http/edge.ts';
import { HttpServer } from '../../core/http/server.ts';
import type { BridgeManifest } from '../../core/manifest.ts';
import type { Catalog } from '../../core/mcp/catalog.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const names = Object.keys(bridges);

const read = (...path: string[]): string => readFileSync(join(ROOT, ...path), 'utf8');
const sorted = (list: Iterable<string>): string[] => [...list].sort();

/** What a module names in an import, an export or an import(). */
const IMPORTED = /(?:^(?:import|export)[^;']*?from |^import |\bimport\()'([^']+)'/gm;

/** Every file below a folder of the repository whose name ends so. */
function filesOf(folder: string, ending = ''): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((path) => path.endsWith(ending) && !path.includes('node_modules'));
}

async function manifestOf(name: string): Promise<BridgeManifest> {
  const manifest = await bridges[name]?.();
  if (manifest === undefined) throw new Error(`there is no bridge ${name}`);
  return manifest;
}

describe('the folders', () => {
  it('with a manifest are the bridges of the index, in the order of the alphabet', () => {
    const folders = readdirSync(join(ROOT, 'bridges'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && existsSync(join(entry.parentPath, entry.name, 'bridge.ts')))
      .map((entry) => entry.name);
    expect(names).toEqual(sorted(folders));
  });

  it('without one are shared by bridges, and say so in a README', () => {
    for (const entry of readdirSync(join(ROOT, 'bridges'), { withFileTypes: true })) {
      if (entry.isDirectory())
        expect(existsSync(join(ROOT, 'bridges', entry.name, 'README.md')), entry.name).toBe(true);
    }
  });

  it('are all spoken of in bridges/README.md, with what makes them live', async () => {
    const text = read('bridges/README.md');
    for (const name of names) {
      const { environment, signIn = [] } = await manifestOf(name);
      const needed = [
        ...environment.filter(({ required }) => required).map((variable) => variable.name),
        ...signIn.flat(),
      ];
      for (const variable of needed) expect(text).toContain(`\`${variable}\``);
    }
    for (const entry of readdirSync(join(ROOT, 'bridges'), { withFileTypes: true })) {
      if (entry.isDirectory()) expect(text).toContain(`](${entry.name}/README.md)`);
    }
  });

  // These folders come with the images. As soon as one is there, it has to know every bridge.
  it('that run them in containers, where there are any, know every bridge and each of its variables', async () => {
    const compose = existsSync(join(ROOT, 'compose')) ? filesOf('compose').map((path) => read(path)) : undefined;
    const front = existsSync(join(ROOT, 'nginx')) ? filesOf('nginx').map((path) => read(path)) : undefined;
    for (const name of names) {
      if (compose !== undefined) expect(compose.join('\n'), 'a service in compose/').toMatch(`mcp-${name}`);
      if (front !== undefined) expect(front.join('\n'), 'the map in nginx/').toMatch(`mcp-${name}`);
      if (compose === undefined) continue;
      const { environment } = await manifestOf(name);
      for (const variable of environment) expect(read('compose/.env.example')).toContain(variable.name);
    }
  });
});

describe.each(names)('%s', (name) => {
  const own = JSON.parse(read('bridges', name, 'package.json'));
  const lock = JSON.parse(read('package-lock.json')).packages;

  it('is a private workspace with exact versions, which the lock file has', () => {
    expect(own).toMatchObject({ name: `@mcp-bridge-fleet/${name}`, private: true, type: 'module' });
    for (const version of Object.values(own.dependencies ?? {})) expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    expect(lock[`bridges/${name}`]?.dependencies).toEqual(own.dependencies);
    expect(lock[`node_modules/@mcp-bridge-fleet/${name}`]).toMatchObject({ resolved: `bridges/${name}`, link: true });
  });

  it('imports no package but its own and the root’s, so that its image needs no other', () => {
    const { dependencies } = JSON.parse(read('package.json'));
    const known = new Set([...Object.keys(own.dependencies ?? {}), ...Object.keys(dependencies)]);
    for (const file of filesOf(`bridges/${name}`, '.ts')) {
      for (const [, from = ''] of read(file).matchAll(IMPORTED)) {
        if (/^(node:|\.)/.test(from)) continue;
        const [scope = '', rest = ''] = from.split('/');
        expect(known, `${file} imports ${from}`).toContain(scope.startsWith('@') ? `${scope}/${rest}` : scope);
      }
    }
  });

  it('has a README with each of its tools and variables', async () => {
    const { environment, tools } = await manifestOf(name);
    const text = read('bridges', name, 'README.md');
    const missing = [...Object.keys(tools), ...environment.map((variable) => variable.name)];
    expect(missing.filter((word) => !text.includes(word))).toEqual([]);
  });

  it('has a manifest that says what it is, what each variable is for, and what each tool does', async () => {
    const manifest = await manifestOf(name);
    expect(manifest.name).toBe(name);
    expect(manifest.title).toMatch(/\S/);
    expect(manifest.description).toMatch(/\.$/);
    for (const variable of manifest.environment) expect(variable.help, variable.name).toMatch(/\w{2}/);
    const known = manifest.environment.map((variable) => variable.name);
    expect(known).toEqual([...new Set(known)]);
    for (const way of manifest.signIn ?? []) expect(known).toEqual(expect.arrayContaining([...way]));
    // Every tool by its name: what `*` would cover nobody has thought about.
    expect(Object.keys(manifest.tools)).not.toContain('*');
    for (const [tool, { effect, deadlineMs, vendorKey, idempotencyKey }] of Object.entries(manifest.tools)) {
      expect(effect, tool).toBeDefined();
      expect(deadlineMs, tool).toBeGreaterThan(0);
      if (vendorKey) expect(idempotencyKey, tool).toMatch(/^(optional|required)$/);
    }
    expect(Object.keys(manifest.tools)).toContain(manifest.example?.tool);
    expect(manifest.sandbox).toBeDefined();
  });
});

describe('against their stand-ins', () => {
  const running = new AsyncDisposableStack();
  const served = new Map<string, Bridge>();
  const catalogs = new Map<string, Catalog>();
  let url = '';

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'agreement-'));
    running.defer(() => rm(folder, { recursive: true, force: true }));
    const started = await Promise.all(
      names.map(async (name) => {
        const sandbox = await (await manifestOf(name)).sandbox?.({ dataDir: join(folder, name), sharedDir: folder });
        if (sandbox === undefined) throw new Error(`${name} has no stand-in`);
        return [name, running.use(sandbox).env] as const;
      }),
    );
    const config = await compileFleet({
      environment: new Environment({
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: join(ROOT, '.cache/node'),
        // Seven servers start at once on whatever else the machine has to do.
        POOL_START_DEADLINE_MS: '60000',
      }),
      manifests: bridges,
      names,
      all: false,
      flags: {},
      directory: ROOT,
      sandboxes: new Map(started),
    });
    for (const settings of config.bridges) {
      const bridge = createBridge(settings, { baseEnv: config.baseEnv });
      running.defer(() => bridge.drain());
      served.set(settings.name, bridge);
    }
    const edge = new Edge({ bridges: served, version: '0' });
    const server = new HttpServer({ edge, app: async () => createApp(edge) });
    running.defer(() => server.destroy());
    const { port } = await server.listen(0, '127.0.0.1');
    url = `http://127.0.0.1:${port}`;
    await Promise.all(
      [...served].map(async ([name, bridge]) => catalogs.set(name, await bridge.tools(AbortSignal.timeout(60_000)))),
    );
  }, 120_000);

  afterAll(() => running.disposeAsync());

  const catalog = (name: string): Catalog => {
    const found = catalogs.get(name);
    if (found === undefined) throw new Error(`${name} has listed nothing`);
    return found;
  };

  describe.each(names)('%s', (name) => {
    it('lists the tools of its manifest and no other, each usable', async () => {
      const { tools, leftOut } = catalog(name);
      expect(leftOut).toEqual([]);
      expect(tools.map((tool) => tool.name)).toEqual(sorted(Object.keys((await manifestOf(name)).tools)));
      expect(tools.filter((tool) => tool.rejected !== undefined).map((tool) => tool.rejected)).toEqual([]);
    });

    it('describes each tool for people and models, with a schema of what comes back', () => {
      for (const { name: tool, definition } of catalog(name).tools) {
        expect(definition.title, tool).toMatch(/\S/);
        expect(definition.description, tool).toMatch(/\S/);
        expect(definition.outputSchema, tool).toMatchObject({ type: 'object' });
      }
    });

    it('hints what its manifest says: only what changes nothing calls itself read-only', () => {
      for (const { name: tool, definition, policy } of catalog(name).tools) {
        const { readOnlyHint } = definition.annotations as { readonly readOnlyHint?: boolean };
        expect({ tool, readOnlyHint }).toEqual({ tool, readOnlyHint: policy.effect === 'read' });
      }
    });

    it('can look back where its manifest says so, and nowhere else', () => {
      const { tools } = catalog(name);
      const said = tools.filter(({ policy }) => policy.reconcile).map((tool) => tool.name);
      expect(tools.filter(({ reconciles }) => reconciles).map((tool) => tool.name)).toEqual(said);
      for (const { policy } of tools) if (policy.reconcile) expect(policy.idempotencyKey).not.toBe('never');
    });

    it('answers its example', async () => {
      const { example } = await manifestOf(name);
      const answer = await fetch(`${url}/${name}/mcp/tools/${example?.tool}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(example?.arguments),
      });
      const body = (await answer.json()) as { readonly isError?: boolean; readonly structuredContent?: object };
      expect([answer.status, answer.headers.get('x-bridge-mode'), body.isError ?? false]).toEqual([
        200,
        'sandbox',
        false,
      ]);
      expect(JSON.stringify(body.structuredContent), 'an example shows something').toMatch(/[[{][^\]}]/);
    });
  });
});
