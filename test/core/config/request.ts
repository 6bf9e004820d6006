import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { examineFleet, type FleetRequest } from '#core/config/compile-fleet.ts';
import { Environment } from '#core/config/environment.ts';
import { problemLine } from '#core/config/problems.ts';
import type { BridgeManifest } from '#core/manifest.ts';

/** A manifest with every kind of variable; `sandbox` says where its stand-in would be. */
export const stripeLike: BridgeManifest = {
  name: 'stripe',
  title: 'Stripe',
  description: 'Payments.',
  server: { module: new URL('file:///srv/bridges/stripe/server.ts') },
  environment: [
    { name: 'STRIPE_SECRET_KEY', required: true, secret: true, help: 'The secret key.' },
    { name: 'STRIPE_WEBHOOK_SECRET', required: false, secret: true, help: 'Checks webhooks.' },
    { name: 'STRIPE_ACCOUNT', required: false, secret: false, help: 'A connected account.' },
  ],
  tools: { list_charges: { effect: 'read', cacheTtlMs: 1000 }, charge: { idempotencyKey: 'required' } },
  pool: { min: 0, concurrency: 8 },
  sandbox: async () => ({
    env: { STRIPE_API_BASE: 'http://127.0.0.1:1' },
    summary: '',
    [Symbol.asyncDispose]: async () => {},
  }),
};

/** A request for the bridges above unless told otherwise. */
export function request(env: Readonly<Record<string, string>>, more: Partial<FleetRequest> = {}): FleetRequest {
  return {
    environment: new Environment(env),
    manifests: { stripe: async () => stripeLike },
    names: [],
    all: false,
    flags: {},
    directory: tmpdir(),
    ...more,
  };
}

/** What a request compiles to, with its problems and warnings as lines. */
export async function examine(env: Readonly<Record<string, string>>, more: Partial<FleetRequest> = {}) {
  const { config, problems } = await examineFleet(request(env, more));
  return { config, problems: problems.map(problemLine), warnings: config.warnings.map(problemLine) };
}

/** A folder with files in it, removed when disposed. */
export class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'fleet-config-'));

  write(name: string, content: unknown): string {
    const path = join(this.path, name);
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

/** Examines a config file with the given `mcpServers`. */
export async function examineFile(
  content: unknown,
  env: Readonly<Record<string, string>> = {},
  more: Partial<FleetRequest> = {},
) {
  using folder = new Folder();
  const configFile = folder.write('fleet.config.json', content);
  return await examine(env, { configFile, ...more });
}
