import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { entry, TemporaryKeyFile } from '../../core/auth/support.ts';
import { type Answer, Fleet } from '../../support/fleet.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';

/** A PostgreSQL with a database for the memory, whose role has what the README grants and no more. */
export interface MemoryPostgres extends AsyncDisposable {
  readonly postgres: TestPostgres;
  /** Connection string of that role. */
  readonly url: string;
  /** One statement as the superuser, in the memory's database: to arrange and to judge. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into rows of many shapes
  ask(sql: string, params?: readonly unknown[]): Promise<any[]>;
}

export async function startMemoryPostgres(): Promise<MemoryPostgres> {
  const postgres = await startTestPostgres();
  await postgres.admin('create role keeper login');
  // What a role may be set to must not matter: a look after a lock has to see what was committed meanwhile.
  await postgres.admin(`alter role keeper set default_transaction_isolation to 'repeatable read'`);
  await postgres.admin('create database memory');
  await postgres.admin('revoke connect, temporary on database memory from public');
  await postgres.admin('grant connect, create on database memory to keeper');
  await postgres.server.allow('keeper');
  return {
    postgres,
    url: postgres.server.url({ user: 'keeper', database: 'memory' }),
    ask: (sql, params) => postgres.admin(sql, params, 'memory'),
    [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
  };
}

/** What a call came back with, its `structuredContent` held against the tool's listed outputSchema. */
export interface MemoryAnswer extends Answer {
  readonly isError: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly data: any;
}

export interface CallOptions {
  /** Who calls; default `anna`. */
  readonly as?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** `fleet serve memory` with two callers, anna and ben. */
export interface OpenMemory extends AsyncDisposable {
  readonly fleet: Fleet;
  call(tool: string, args?: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<MemoryAnswer>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into listed tools
  tools(): Promise<any[]>;
}

export const SECRETS = { anna: 'key-of-anna-canary', ben: 'key-of-ben-canary' } as const;

export async function openMemory(url: string, env: Readonly<Record<string, string>> = {}): Promise<OpenMemory> {
  const keys = new TemporaryKeyFile([entry(SECRETS.anna, { id: 'anna' }), entry(SECRETS.ben, { id: 'ben' })]);
  const fleet = await Fleet.start({
    args: ['serve', 'memory'],
    env: { MEMORY_DATABASE_URL: url, AUTH: 'keys', API_KEYS_FILE: keys.path, POOL_MAX: '2', ...env },
  });
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const authorization = (who: string) => ({ authorization: `Bearer key-of-${who}-canary` });
  const tools = async () =>
    (await fleet.request('/memory/mcp/tools', undefined, { method: 'GET', headers: authorization('anna') })).json.tools;
  const validators = async (): Promise<ReadonlyMap<string, ValidateFunction>> =>
    new Map(
      (await tools()).map((tool: { readonly name: string; readonly outputSchema: object }) => [
        tool.name,
        ajv.compile(tool.outputSchema),
      ]),
    );
  let schemas: Promise<ReadonlyMap<string, ValidateFunction>> | undefined;
  return {
    fleet,
    tools,
    call: async (tool, args = {}, { as = 'anna', headers = {}, signal } = {}) => {
      const answer = await fleet.request(`/memory/mcp/tools/${tool}`, args, {
        headers: { ...authorization(as), ...headers },
        ...(signal && { signal }),
      });
      const data = answer.json?.structuredContent;
      if (answer.status === 200) {
        schemas ??= validators();
        const fits = (await schemas).get(tool);
        if (fits === undefined) throw new Error(`${tool} is not listed`);
        if (!fits(data)) throw new Error(`${tool} breaks its outputSchema: ${ajv.errorsText(fits.errors)}`);
      }
      return { ...answer, isError: answer.json?.isError === true, data };
    },
    [Symbol.asyncDispose]: async () => {
      await fleet[Symbol.asyncDispose]();
      keys[Symbol.dispose]();
    },
  };
}
