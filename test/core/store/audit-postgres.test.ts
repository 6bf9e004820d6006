import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AuditBuffer, type AuditEvent } from '#core/store/audit-buffer.ts';
import { PostgresAuditReader } from '#core/store/postgres-audit-reader.ts';
import { migrateAudit } from '#core/store/postgres-audit-schema.ts';
import { PostgresAuditWriter } from '#core/store/postgres-audit-writer.ts';
import { auditRow } from '../../support/audit-rows.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { signalPostgres } from '../../support/signal-postgres.ts';
import { until } from '../../support/until.ts';

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startTestPostgres();
  // What is committed stays, also where the server is killed: a test server is not that careful by default.
  await postgres.admin('alter database postgres set synchronous_commit = on');
});

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

beforeEach(async () => {
  await postgres.admin('drop table if exists bridge_audit, bridge_audit_version');
});

/** What is in the table, in the order it was written. */
async function table(): Promise<Record<string, unknown>[]> {
  return postgres.admin('select * from bridge_audit order by id');
}

const tableIsThere = async () => (await postgres.admin(`select to_regclass('bridge_audit') as t`))[0]?.t !== null;

/** A writer for one test, ended with it. */
function writerOf(url = postgres.url, options: { connectTimeoutMs?: number; statementTimeoutMs?: number } = {}) {
  const writer = new PostgresAuditWriter({ url, ...options });
  return Object.assign(writer, { [Symbol.asyncDispose]: () => writer.close() });
}

describe('rows', () => {
  it('stand in the table as they were recorded', async () => {
    await using writer = writerOf();
    const full = auditRow({
      at: new Date('2026-11-20T12:00:00.123Z'),
      traceId: '0af7651916cd43dd8448eb211c80319c',
      durationMs: 12.3456789,
      replayed: true,
    });
    const bare = auditRow({ effect: undefined, attempts: 0, argumentsSha256: undefined, outcome: 'forbidden_tool' });
    const gap = { at: new Date(5_000), outcome: 'audit_dropped', dropped: 12, durationMs: 700 } as const;
    expect(await writer.write([full, bare, gap], 40)).toEqual([]);
    expect(await table()).toEqual([
      {
        id: '1',
        at: full.at,
        request_id: 'request',
        trace_id: '0af7651916cd43dd8448eb211c80319c',
        principal: 'planner',
        bridge: 'slack',
        tool: 'post',
        effect: 'write',
        attempts: 1,
        outcome: 'ok',
        executed: 'yes',
        duration_ms: 12.346,
        arguments_sha256: 'a'.repeat(64),
        replayed: true,
        dropped: null,
        writer: expect.stringMatching(/^[0-9a-f-]{36}$/),
        number: '40',
      },
      expect.objectContaining({ trace_id: null, effect: null, arguments_sha256: null, attempts: 0, number: '41' }),
      expect.objectContaining({ at: gap.at, outcome: 'audit_dropped', dropped: '12', request_id: null, number: '42' }),
    ]);
  });

  it('a batch that is written again is there once, and another process has numbers of its own', async () => {
    await using writer = writerOf();
    await using other = writerOf();
    const rows = [auditRow({ requestId: 'a' }), auditRow({ requestId: 'b' })];
    await writer.write(rows, 0);
    await writer.write([...rows, auditRow({ requestId: 'c' })], 0);
    await other.write([auditRow({ requestId: 'd' })], 0);
    expect((await table()).map((row) => row.request_id)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('texts that PostgreSQL cannot keep are made harmless, and long ones cut', async () => {
    await using writer = writerOf();
    const hostile = [
      auditRow({ tool: 'nul\0nul' }),
      auditRow({ tool: `half ${'😀'.slice(0, 1)}` }),
      auditRow({ tool: `'; drop table bridge_audit; -- "\\ {} \n\u001b[31m` }),
      auditRow({ principal: '€'.repeat(5_000) }),
      auditRow({ requestId: `${'x'.repeat(510)}😀😀` }),
    ];
    expect(await writer.write(hostile, 0)).toEqual([]);
    const rows = await table();
    expect(rows.map((row) => row.tool)).toEqual([
      'nul\ufffdnul',
      'half \ufffd',
      `'; drop table bridge_audit; -- "\\ {} \n\u001b[31m`,
      'post',
      'post',
    ]);
    expect(rows[3]?.principal).toBe(`${'€'.repeat(511)}…`);
    expect(rows[4]?.request_id).toBe(`${'x'.repeat(510)}\ufffd…`);
  });

  it('one that the table refuses costs no other row of its batch', async () => {
    await using writer = writerOf();
    await writer.write([], 0);
    await postgres.admin(`alter table bridge_audit add check (tool <> 'evil')`);
    const rows = Array.from({ length: 50 }, (_, i) =>
      auditRow({
        requestId: `r${i}`,
        tool: i % 20 === 7 ? 'evil' : 'post',
        at: new Date(i === 30 ? Number.NaN : 1_000),
        attempts: i === 31 ? 3e9 : 1,
      }),
    );
    const refused = await writer.write(rows, 0);
    const names = refused.map(({ entry }) => 'requestId' in entry && entry.requestId);
    expect(names).toEqual(['r7', 'r27', 'r30', 'r31', 'r47']);
    expect(refused[0]?.reason).toBe('a constraint of the table forbids it (23514)');
    const kept = await table();
    expect(kept).toHaveLength(45);
    expect(kept.every((row) => row.number === String(row.request_id).slice(1))).toBe(true);
  });

  it('a batch of 500 is one transaction', async () => {
    await using writer = writerOf();
    await writer.write([], 0);
    await writer.write(
      Array.from({ length: 500 }, () => auditRow()),
      0,
    );
    expect((await postgres.admin('select count(distinct xmin::text) as batches from bridge_audit'))[0]?.batches).toBe(
      '1',
    );
  });
});

describe('the table', () => {
  it('is made once by five processes that start together', async () => {
    const writers = Array.from({ length: 5 }, () => new PostgresAuditWriter({ url: postgres.url }));
    try {
      await Promise.all(writers.map((writer, i) => writer.write([auditRow({ requestId: `w${i}` })], 0)));
      expect((await table()).map((row) => row.request_id).sort()).toEqual(['w0', 'w1', 'w2', 'w3', 'w4']);
      expect(await postgres.admin('select version from bridge_audit_version')).toEqual([{ version: 1 }]);
      const indexes = await postgres.admin<{ indexname: string }>(
        `select indexname from pg_indexes where tablename = 'bridge_audit' order by 1`,
      );
      expect(indexes.map(({ indexname }) => indexname)).toEqual([
        'bridge_audit_at',
        'bridge_audit_pkey',
        'bridge_audit_principal_at',
        'bridge_audit_writer_number_key',
      ]);
    } finally {
      await Promise.all(writers.map((writer) => writer.close()));
    }
  });

  it('who comes while another makes it waits for that one', async () => {
    const url = postgres.url;
    const first = new pg.Client({ connectionString: url });
    await first.connect();
    await using writer = writerOf(url);
    try {
      await first.query('begin');
      await migrateInside(first);
      const written = writer.write([auditRow()], 0);
      await until('the second waits for the lock', async () => {
        const [row] = await postgres.admin(
          `select 1 from pg_stat_activity where application_name = 'mcp-bridge-audit' and wait_event_type = 'Lock'`,
        );
        return row !== undefined;
      });
      await first.query('commit');
      expect(await written).toEqual([]);
      expect(await table()).toHaveLength(1);
    } finally {
      await first.end();
    }
  });

  it('a later version of it, made by a newer process, is written to', async () => {
    await using writer = writerOf();
    await writer.write([], 0);
    await postgres.admin(
      'alter table bridge_audit add column more text; insert into bridge_audit_version (version) values (2)',
    );
    await using older = writerOf();
    await older.write([auditRow()], 0);
    expect(await table()).toHaveLength(1);
  });

  it('one that was dropped is made again', async () => {
    await using writer = writerOf();
    await writer.write([auditRow()], 0);
    await postgres.admin('drop table bridge_audit, bridge_audit_version');
    await expect(writer.write([auditRow()], 1)).rejects.toThrow('the table is missing');
    await writer.write([auditRow()], 1);
    expect(await table()).toHaveLength(1);
  });

  it('a role that may only insert writes to a table that is there', async () => {
    const url = await postgres.createDatabase('audit_insert_only', 'audit_owner');
    await postgres.admin('create role audit_clerk login');
    await postgres.server.allow('audit_clerk');
    const clerkUrl = postgres.server.url({ user: 'audit_clerk', database: 'audit_insert_only' });
    await using clerk = writerOf(clerkUrl);
    await expect(clerk.write([auditRow()], 0)).rejects.toThrow(
      'the role has not the right to do this; grant it, or let another role make the table (42501)',
    );
    await using owner = writerOf(url);
    await owner.write([], 0);
    const database = 'audit_insert_only';
    await postgres.admin('grant insert on bridge_audit to audit_clerk', undefined, database);
    expect(await clerk.write([auditRow()], 0)).toEqual([]);
    await clerk.write([auditRow()], 0);
    expect(await postgres.admin('select number from bridge_audit', undefined, database)).toEqual([{ number: '0' }]);
    // Without the table that says its version it is taken as it is.
    await postgres.admin('drop table bridge_audit_version', undefined, database);
    await using second = writerOf(clerkUrl);
    expect(await second.write([auditRow()], 0)).toEqual([]);
  });
});

describe('D5 the database is away', () => {
  it('why is said without anything of the connection string', async () => {
    const { port } = postgres.server;
    for (const [url, reason] of [
      [`postgres://canary:canary@127.0.0.1:1/canary`, /^the database cannot be reached \(ECONNREFUSED\)$/],
      [
        `postgres://canary:canary@127.0.0.1:${port}/canary`,
        /^the database refuses the role or its password; .*\(28P01\)$/,
      ],
      [`postgres://canary:canary@canary.invalid/canary`, /^the database cannot be reached \((ENOTFOUND|EAI_AGAIN)\)$/],
      ['postgres://canary:canary@[canary/canary', /^the connection string cannot be read/],
      [
        postgres.server.url({ database: 'canary' }),
        /^the database named by the connection string does not exist; .*\(3D000\)$/,
      ],
    ] as const) {
      await using writer = writerOf(url);
      const message = await writer.write([], 0).catch((error: Error) => error.message);
      expect(message).toMatch(reason);
      expect(message).not.toContain('canary');
    }
  });

  it('killed and started again: rows wait, then all are there once, with one that tells of the dropped ones', async () => {
    const events: AuditEvent[] = [];
    const buffer = new AuditBuffer(new PostgresAuditWriter({ url: postgres.url }), {
      on: (event) => events.push(event),
      maxRows: 300,
      maxBatch: 100,
      flushMs: 10,
    });
    let recorded = 0;
    const record = (rows: number) => {
      for (; rows > 0; rows--, recorded++) buffer.record(auditRow({ requestId: `r${recorded}` }));
    };
    try {
      buffer.start();
      record(50);
      await until('the first rows are written', () => buffer.stats.written === 50);
      // Killed while rows are on their way: nobody knows of those whether they were written.
      record(150);
      signalPostgres(postgres, 'SIGKILL');
      await until('it is noticed', () => {
        record(1);
        return buffer.stats.away;
      });
      const room = 300 - buffer.stats.buffered;
      record(room + 40);
      expect(buffer.stats).toMatchObject({ buffered: 300, dropped: 40, away: true });
      await postgres.server.stop();
      await postgres.server.start();
      await until('all is written', () => buffer.stats.buffered === 0 && !buffer.stats.away);
      const rows = await table();
      const names = rows.filter((row) => row.outcome === 'ok').map((row) => row.request_id);
      expect(names).toEqual(Array.from({ length: recorded - 40 }, (_, i) => `r${i}`));
      expect(rows.filter((row) => row.outcome === 'audit_dropped')).toMatchObject([{ dropped: '40' }]);
      expect(events.map(({ event }) => event)).toEqual(['audit:away', 'audit:full', 'audit:back', 'audit:dropped']);
    } finally {
      await buffer.close(1_000);
    }
  });

  it('stopped and started again while nothing is written: the next row is written as if nothing had been', async () => {
    const events: AuditEvent[] = [];
    const buffer = new AuditBuffer(new PostgresAuditWriter({ url: postgres.url }), {
      on: (event) => events.push(event),
      flushMs: 10,
    });
    try {
      buffer.record(auditRow());
      await until('it is written', () => buffer.stats.written === 1);
      await postgres.server.stop();
      await postgres.server.start();
      buffer.record(auditRow());
      await until('the next is written', () => buffer.stats.written === 2);
      expect(events).toEqual([]);
    } finally {
      await buffer.close(1_000);
    }
  });

  it('hanging: rows wait, the end costs its budget, and afterwards nothing was written twice', async () => {
    const events: AuditEvent[] = [];
    const open = () =>
      new AuditBuffer(new PostgresAuditWriter({ url: postgres.url, connectTimeoutMs: 300, statementTimeoutMs: 300 }), {
        on: (event) => events.push(event),
        flushMs: 10,
      });
    const buffer = open();
    const other = open();
    buffer.start();
    buffer.record(auditRow({ requestId: 'before' }));
    await until('it is written', () => buffer.stats.written === 1);
    signalPostgres(postgres, 'SIGSTOP');
    try {
      buffer.record(auditRow({ requestId: 'during' }));
      await until('it is noticed', () => buffer.stats.away);
      expect(events[0]).toEqual({ event: 'audit:away', reason: 'the database did not answer in time' });
      other.record(auditRow({ requestId: 'never' }));
      await other.close(200);
      expect(events.at(-1)).toEqual({ event: 'audit:lost', rows: 1 });
    } finally {
      signalPostgres(postgres, 'SIGCONT');
    }
    await until('it is written', () => buffer.stats.written === 2);
    await buffer.close(1_000);
    const names = (await table()).map((row) => row.request_id);
    expect(names.filter((name) => name !== 'never')).toEqual(['before', 'during']);
  });

  it('a session that ends while the database lives is replaced', async () => {
    await using writer = writerOf();
    await writer.write([auditRow()], 0);
    await postgres.admin(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mcp-bridge-audit'`,
    );
    await until('the next is written', () =>
      writer.write([auditRow()], 1).then(
        () => true,
        () => false,
      ),
    );
    expect(await table()).toHaveLength(2);
  });
});

describe('reading', () => {
  it('gives the last rows, oldest first, of whom and since when it is asked for', async () => {
    await using writer = writerOf();
    const reader = new PostgresAuditReader(postgres.url);
    try {
      await expect(reader.last(5, {})).rejects.toThrow('the table is missing');
      expect(await tableIsThere()).toBe(false);
      const now = Date.now();
      await writer.write(
        [
          auditRow({ requestId: 'old', at: new Date(now - 3_600_000) }),
          auditRow({ requestId: 'guest', at: new Date(now), principal: 'guest' }),
          auditRow({ requestId: 'stripe', at: new Date(now), bridge: 'stripe' }),
          auditRow({ requestId: 'new', at: new Date(now) }),
        ],
        0,
      );
      const names = async (lines: number, filter = {}) =>
        (await reader.last(lines, filter)).map((row) => row.requestId);
      expect(await names(2)).toEqual(['stripe', 'new']);
      expect(await names(9, { principal: 'planner' })).toEqual(['old', 'stripe', 'new']);
      expect(await names(9, { bridge: 'stripe' })).toEqual(['stripe']);
      expect(await names(9, { sinceMs: 600_000 })).toEqual(['guest', 'stripe', 'new']);
      expect((await reader.after(2, 9, {})).map(({ id }) => id)).toEqual([3, 4]);
      expect((await reader.last(1, {}))[0]).toEqual({
        id: 4,
        ...auditRow({ requestId: 'new', at: new Date(now) }),
        traceId: null,
        dropped: null,
      });
    } finally {
      await reader.close();
    }
  });
});

/** The migration of another process, up to its commit. */
async function migrateInside(client: pg.Client): Promise<void> {
  const query = client.query.bind(client);
  const staged = {
    query: (text: string, values?: unknown[]) =>
      text === 'begin' || text === 'commit' ? undefined : query(text, values),
  };
  await migrateAudit(staged as unknown as pg.Client);
}
