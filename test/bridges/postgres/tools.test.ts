import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import manifest from '../../../bridges/postgres/bridge.ts';
import { seedPlanner } from '../../../bridges/postgres/sandbox.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../core/postgres-kit/embedded-postgres.ts';
import { type OpenServer, openServer } from './open-server.ts';

let folder: string;
let postgres: EmbeddedPostgres;
let server: OpenServer;
let env: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleet-pg-'));
  await chmod(folder, 0o755);
  postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'data'), durable: false });
  await seedPlanner(postgres);
  env = {
    DATABASE_URL: postgres.url({ user: 'planner_reader', database: 'planner' }),
    POSTGRES_WRITE_URL: postgres.url({ user: 'planner_writer', database: 'planner' }),
  };
  server = await openServer(env);
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await postgres?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('what the server lists', () => {
  test('is every tool of the manifest, each with schemas, a description and annotations of its effect', async () => {
    const { tools } = await server.client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual(Object.keys(manifest.tools).sort());
    for (const tool of tools) {
      const reads = manifest.tools[tool.name]?.effect === 'read';
      expect(tool).toMatchObject({
        inputSchema: { type: 'object', additionalProperties: false },
        outputSchema: { type: 'object' },
        annotations: { readOnlyHint: reads, idempotentHint: reads, destructiveHint: !reads, openWorldHint: false },
      });
      expect(tool.description?.length).toBeGreaterThan(80);
    }
  });

  test('has no execute without a writing role', async () => {
    await using reader = await openServer({ DATABASE_URL: env.DATABASE_URL ?? '' });
    const { tools } = await reader.client.listTools();
    expect(tools.map(({ name }) => name)).not.toContain('execute');
    await expect(reader.call('execute', { sql: 'delete from guests' })).rejects.toThrow(/Unknown tool/);
  });

  test("the manifest's example works on the sandbox", async () => {
    const example = manifest.example;
    const answer = await server.call(example?.tool ?? '', { ...example?.arguments });
    expect(answer.data.rows.map((row: { title: string }) => row.title)).toEqual([
      'Spring Product Launch: Aurora Lamps',
      'Cooperative Housing Forum',
      'Letterpress Weekend Workshop',
    ]);
  });
});

describe('every tool', () => {
  test.each([
    ['query', { sql: 'select count(*) from guests' }, { rows: [{ count: '96' }], truncated: false }],
    ['explain', { sql: 'select * from events where venue_id = $1', params: [3] }, { format: 'text' }],
    ['explain', { sql: 'select 1', format: 'json' }, { estimatedRows: 1 }],
    ['list_schemas', {}, { schemas: [{ name: 'public', tables: 10, onSearchPath: true }] }],
    [
      'list_tables',
      { schema: 'public', kinds: ['view'] },
      { tables: [{ name: 'guest_counts' }, { name: 'upcoming_events' }] },
    ],
    ['list_indexes', { table: 'events' }, { truncated: false }],
    ['table_stats', { table: 'guests' }, { tables: [{ table: 'guests', estimatedRows: 96 }] }],
    [
      'search_objects',
      { text: 'BUDGET', kinds: ['table'] },
      { objects: [{ name: 'budgets' }, { name: 'budget_items' }] },
    ],
    ['server_info', {}, { role: 'planner_reader', roleIsReadOnly: true, warnings: [], executeEnabled: true }],
    ['describe_table', { table: 'upcoming_events' }, { kind: 'view' }],
  ])('%s answers what its output schema says', async (tool, args, expected) => {
    const answer = await server.call(tool, args);
    expect(answer.isError).toBe(false);
    expect(answer.data).toMatchObject(expected);
    expect(JSON.parse(answer.text)).toEqual(answer.data);
  });

  test.each([
    ['query', { sql: '' }, '/sql'],
    ['query', { sql: 'select 1', maxRows: 0 }, '/maxRows'],
    ['query', { sql: 'select 1', maxRows: 1_001 }, '/maxRows'],
    ['query', { sql: 'select $1', params: ['a\0b'] }, '/params/0'],
    ['query', { sql: 'select 1', limit: 5 }, ''],
    ['explain', { sql: 'select 1', format: 'yaml' }, '/format'],
    ['list_schemas', { schema: 'public' }, ''],
    ['list_tables', { limit: -1 }, '/limit'],
    ['describe_table', {}, '/table'],
    ['list_indexes', { table: 7 }, '/table'],
    ['table_stats', { schema: '' }, '/schema'],
    ['search_objects', { text: '' }, '/text'],
    ['server_info', { verbose: true }, ''],
    ['execute', { sql: 'delete from guests', expectedRows: -1 }, '/expectedRows'],
  ])('%s refuses %j and says where', async (tool, args, pointer) => {
    const answer = await server.call(tool, args);
    expect(answer.isError).toBe(true);
    expect(answer.data.error).toMatchObject({ code: 'invalid_arguments', retryable: false, errors: [{ pointer }] });
    expect(JSON.parse(answer.text)).toEqual(answer.data);
  });
});

describe('describe_table', () => {
  test('shows columns, comments, enum values, keys, indexes and what refers to the table', async () => {
    const { data } = await server.call('describe_table', { table: 'events' });
    expect(data).toMatchObject({
      schema: 'public',
      name: 'events',
      kind: 'table',
      comment: 'What is planned, one row per event',
    });
    expect(data.columns).toContainEqual({
      name: 'status',
      type: 'event_status',
      nullable: false,
      default: "'draft'::event_status",
      generated: null,
      comment: null,
      enumValues: ['draft', 'confirmed', 'completed', 'cancelled'],
    });
    expect(data.columns[0]).toMatchObject({ name: 'id', generated: 'identity' });
    expect(data.constraints).toContainEqual(
      expect.objectContaining({
        kind: 'foreign key',
        columns: ['venue_id'],
        references: 'public.venues',
        referencedColumns: ['id'],
      }),
    );
    expect(data.constraints[0]).toMatchObject({ kind: 'primary key', columns: ['id'] });
    expect(data.referencedBy).toContainEqual({ table: 'public.bookings', columns: ['event_id'] });
    expect(data.indexes.map((index: { name: string }) => index.name)).toEqual([
      'events_pkey',
      'events_by_start',
      'events_by_venue',
      'events_open',
    ]);
  });

  test('names near tables where there is none', async () => {
    const { data } = await server.call('describe_table', { table: 'event' });
    expect(data.error).toMatchObject({
      code: 'undefined_table',
      suggestions: ['public.events', 'public.upcoming_events'],
    });
  });

  test('takes names as values, never as SQL', async () => {
    const { data } = await server.call('describe_table', {
      table: "events'; drop table events; --",
      schema: 'public"',
    });
    expect(data.error.code).toBe('undefined_table');
    expect((await server.call('describe_table', { table: 'events' })).isError).toBe(false);
  });
});

describe('values', () => {
  test.each([
    ['9007199254740993::bigint', '9007199254740993', 'bigint'],
    ['12.3400::numeric(10,4)', '12.3400', 'numeric(10,4)'],
    ['7::smallint', 7, 'smallint'],
    ['true', true, 'boolean'],
    ['null::integer', null, 'integer'],
    ['1.5::float8', 1.5, 'double precision'],
    ["'NaN'::float8", 'NaN', 'double precision'],
    ["'-Infinity'::real", '-Infinity', 'real'],
    ["date '2027-05-08'", '2027-05-08', 'date'],
    ["time '14:30'", '14:30:00', 'time without time zone'],
    ["timestamp '2027-05-08 14:00'", '2027-05-08T14:00:00', 'timestamp without time zone'],
    ["timestamptz '2027-05-08 14:00:00.25+02'", '2027-05-08T12:00:00.25Z', 'timestamp with time zone'],
    ["timestamptz 'infinity'", 'infinity', 'timestamp with time zone'],
    ["interval '1 day 2 hours'", 'P1DT2H', 'interval'],
    ["'\\x00ff10'::bytea", 'AP8Q', 'bytea'],
    [`'{"a": [1, null]}'::jsonb`, { a: [1, null] }, 'jsonb'],
    ["'[1, 2]'::json", [1, 2], 'json'],
    ['array[1, null, 3]', [1, null, 3], 'integer[]'],
    ["array['a', 'b \"c\"', null]", ['a', 'b "c"', null], 'text[]'],
    [
      'array[[1,2],[3,4]]::bigint[]',
      [
        ['1', '2'],
        ['3', '4'],
      ],
      'bigint[]',
    ],
    ["array[date '2027-01-01']", ['2027-01-01'], 'date[]'],
    ["'confirmed'::event_status", 'confirmed', 'event_status'],
    ["'a1b2c3d4-0000-4000-8000-000000000001'::uuid", 'a1b2c3d4-0000-4000-8000-000000000001', 'uuid'],
    ["'äöü 🎉 \u0001'", 'äöü 🎉 \u0001', 'text'],
  ])('%s is %j', async (expression, value, type) => {
    const { data } = await server.call('query', { sql: `select ${expression} as v` });
    expect(data).toMatchObject({ columns: [{ name: 'v', type }], rows: [{ v: value }] });
  });

  test('digits of numbers in JSON are never rounded', async () => {
    const sql = `select '{"n": 12345678901234567890, "m": 0.1, "e": 1e400}'::json as v`;
    expect((await server.call('query', { sql })).text).toContain('{"v":{"n":12345678901234567890,"m":0.1,"e":1e400}}');
  });

  test('JSON that nests thousands of levels deep is text, brackets in its strings are no levels', async () => {
    const deep = `select repeat('[', 5000)::text || repeat(']', 5000) as text, (repeat('[', 5000) || repeat(']', 5000))::jsonb as json`;
    const { rows } = (await server.call('query', { sql: deep })).data;
    expect(rows[0].json).toBe(rows[0].text);
    const flat = `select jsonb_build_object('a', repeat('["{', 2000)) as json`;
    expect((await server.call('query', { sql: flat })).data.rows).toEqual([{ json: { a: '["{'.repeat(2000) } }]);
  });

  test('a time zone of the session shows in the offset', async () => {
    const sql =
      "select timestamptz '2027-05-08 14:00+02' as v from (select set_config('timezone', 'Asia/Kolkata', true)) s";
    const { data } = await server.call('query', { sql });
    expect(data.rows[0].v).toMatch(/^2027-05-08T(17:30:00\+05:30|12:00:00Z)$/);
  });

  test('columns with the same name are all there', async () => {
    const { data } = await server.call('query', { sql: 'select 1 as a, 2 as a, 3 as a_2, 4 as a, 5 as "__proto__"' });
    expect(data.columns.map((column: { name: string }) => column.name)).toEqual([
      'a',
      'a_3',
      'a_2',
      'a_4',
      '__proto__',
    ]);
    expect(JSON.stringify(data.rows)).toBe('[{"a":1,"a_3":2,"a_2":3,"a_4":4,"__proto__":5}]');
  });

  test('parameters arrive as what they are', async () => {
    const sql =
      'select $1::int + 1 as a, $2::text as b, $3::boolean as c, $4::text as d, $5::int[] as e, $6::jsonb as f, $7::bigint as g';
    const params = [41, "'; drop table events; --", true, null, [1, 2], { x: [1] }, '9007199254740993'];
    const { data } = await server.call('query', { sql, params });
    expect(data.rows).toEqual([
      { a: 42, b: "'; drop table events; --", c: true, d: null, e: [1, 2], f: { x: [1] }, g: '9007199254740993' },
    ]);
  });
});

describe('an error of the database', () => {
  test.each([
    ['select 1 from nowhere', 'undefined_table', '42P01', false],
    ['select nothing from events', 'undefined_column', '42703', false],
    ['select 1 +', 'syntax_error', '42601', false],
    ['select 1; select 2', 'syntax_error', '42601', false],
    ['select 1 / 0', 'data_exception', '22012', false],
    ['select nofunction()', 'undefined_function', '42883', false],
    ['select * from pg_authid', 'permission_denied', '42501', false],
    ['select $1::int', 'wrong_parameters', '08P01', false],
    ["select 'x'::int", 'data_exception', '22P02', false],
  ])('%s is %s', async (sql, code, sqlstate, retryable) => {
    const { data, isError } = await server.call('query', { sql });
    expect(isError).toBe(true);
    expect(data.error).toMatchObject({ code, sqlstate, retryable });
    expect(JSON.stringify(data)).not.toMatch(/\.ts|node_modules|\n/);
  });

  test("says where in the caller's own text it is, also through explain", async () => {
    for (const tool of ['query', 'explain']) {
      expect((await server.call(tool, { sql: 'select nothing from events' })).data.error.position).toBe(8);
    }
  });
});

describe('execute', () => {
  const count = async () =>
    (await server.call('query', { sql: "select count(*)::int as n from guests where diet = 'vegan'" })).data.rows[0].n;

  test('changes rows, commits and returns what RETURNING asks for', async () => {
    const sql = "insert into guests (full_name, email, created_at) values ($1, $2, '2027-01-05') returning full_name";
    const answer = await server.call('execute', { sql, params: ['Ida Roth', 'ida.roth@example.org'], expectedRows: 1 });
    expect(answer.data).toMatchObject({ affectedRows: 1, rows: [{ full_name: 'Ida Roth' }], truncated: false });
    const { data } = await server.call('execute', { sql: "delete from guests where email = 'ida.roth@example.org'" });
    expect(data).toMatchObject({ affectedRows: 1, rows: [], columns: [] });
  });

  test('changes nothing when another number of rows would change', async () => {
    const before = await count();
    const answer = await server.call('execute', { sql: "update guests set diet = 'vegan'", expectedRows: 1 });
    expect(answer.data.error).toMatchObject({ code: 'row_count_mismatch', affectedRows: 96, expectedRows: 1 });
    expect(await count()).toBe(before);
  });

  test('counts all rows where it returns some of them', async () => {
    const sql =
      "insert into guests (full_name, email, created_at) select 'G ' || n, 'g' || n || '@example.net', now() from generate_series(1, 500) n returning id";
    const { data } = await server.call('execute', { sql, expectedRows: 500 });
    expect(data).toMatchObject({ affectedRows: 500, rowCount: 200, truncated: true });
    expect(
      (await server.call('execute', { sql: "delete from guests where email like '%@example.net'", expectedRows: 500 }))
        .isError,
    ).toBe(false);
  });

  test.each([
    ['drop table guests', 'statement_not_allowed'],
    ['truncate guests', 'statement_not_allowed'],
    ['select 1', 'statement_not_allowed'],
    ["with d as (delete from guests where diet = 'vegan' returning id) select * from d", 'statement_not_allowed'],
    ['commit', 'statement_not_allowed'],
    ["update guests set diet = 'vegan'; delete from guests", 'syntax_error'],
    ["insert into guests (full_name, email, created_at) values ('x', 'not an address', now())", 'constraint_violation'],
    ['delete from pg_authid', 'permission_denied'],
  ])('refuses %s', async (sql, code) => {
    const before = await count();
    expect((await server.call('execute', { sql })).data.error).toMatchObject({ code });
    expect(await count()).toBe(before);
  });
});

describe('resources', () => {
  test('are the tables, each under an address with its schema', async () => {
    const { resources } = await server.client.listResources();
    const uri = 'postgres://tables/public/events';
    expect(resources).toContainEqual(
      expect.objectContaining({ uri, name: 'public.events', description: 'What is planned, one row per event' }),
    );
    const { contents } = await server.client.readResource({ uri });
    expect(JSON.parse((contents[0] as { text: string }).text)).toEqual(
      (await server.call('describe_table', { table: 'events' })).data,
    );
    const { resourceTemplates } = await server.client.listResourceTemplates();
    expect(resourceTemplates[0]?.uriTemplate).toBe('postgres://tables/{schema}/{table}');
  });

  test.each([
    'postgres://tables/public/nothing',
    'postgres://tables/public',
    'postgres://tables/%ZZ/x',
    'file:///etc/passwd',
  ])('there is none at %s', async (uri) => {
    await expect(server.client.readResource({ uri })).rejects.toMatchObject({ code: -32602 });
  });
});
