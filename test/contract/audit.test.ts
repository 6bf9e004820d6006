/** Contract section 9: one row per call, written after the fact, that never delays or fails a call. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fleet as command } from '../core/cli/run.ts';
import { Fleet, type RequestOptions } from '../support/fleet.ts';
import { Ledger } from '../support/ledger.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import { signalPostgres } from '../support/signal-postgres.ts';
import { until } from '../support/until.ts';

type Row = Record<string, unknown>;

const SECRET = 'secret-of-the-planner';
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

let postgres: TestPostgres;
let folder: string;
let keysFile: string;

beforeAll(async () => {
  postgres = await startTestPostgres();
  folder = mkdtempSync(join(tmpdir(), 'audit-'));
  keysFile = join(folder, 'keys.json');
  const allow = ['echo', 'crash', 'sleep', 'tool-error', 'flaky', 'no-such-tool'].map((tool) => `fake:${tool}`);
  writeFileSync(keysFile, JSON.stringify([{ id: 'planner', sha256: sha256(SECRET), allow }]), { mode: 0o600 });
});

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  await postgres.admin('drop table if exists bridge_audit, bridge_audit_version');
});

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function start(
  env: Record<string, string> = {},
  settings: Record<string, unknown> = {},
  child: Record<string, string> = {},
) {
  return Fleet.fake(child, settings, { env: { AUDIT_DATABASE_URL: postgres.url, ...env } });
}

/** The rows of one request, or of all, once there are so many. */
async function rows(count: number, where = 'true'): Promise<Row[]> {
  const sql = `select * from bridge_audit where ${where} order by at, id`;
  return until(`${count} rows`, async () => {
    const found = await postgres.admin<Row>(sql).catch(() => []);
    return found.length >= count ? found : undefined;
  });
}

const audited = async (fleet: Fleet) => (await fleet.ops('/status')).json.audit;

describe('one row per call', () => {
  it('says who called what, how it ended, what it took, and whether it ran', async () => {
    using ledger = new Ledger();
    await using fleet = await start(
      { AUTH: 'keys', API_KEYS_FILE: keysFile },
      { pool: { min: 2, max: 2 }, tools: { flaky: { effect: 'read' }, echo: { effect: 'idempotent' } } },
      { FAKE_LEDGER: ledger.path },
    );
    const call = (tool: string, args: object, id: string, options: RequestOptions = {}) =>
      fleet.call(tool, args as Record<string, unknown>, {
        ...options,
        headers: { authorization: `Bearer ${SECRET}`, 'x-request-id': id, ...options.headers },
      });
    const before = Date.now();
    expect((await call('echo', { text: 'hi' }, 'ok', { headers: { traceparent: TRACEPARENT } })).status).toBe(200);
    expect((await call('tool-error', { text: 'no' }, 'tool-error')).status).toBe(200);
    expect((await call('crash', {}, 'crash')).status).toBe(502);
    expect((await call('flaky', { times: 1, tag: 'f' }, 'twice')).status).toBe(200);
    const keyed = { headers: { 'idempotency-key': 'k-1' } };
    expect((await call('sleep', { ms: 20 }, 'first', keyed)).status).toBe(200);
    expect((await call('sleep', { ms: 20 }, 'replay', keyed)).headers['idempotency-replayed']).toBe('true');
    expect((await call('crash', {}, 'keyed-crash', { headers: { 'idempotency-key': 'k-2' } })).status).toBe(502);
    expect((await call('crash', {}, 'replayed-crash', { headers: { 'idempotency-key': 'k-2' } })).status).toBe(502);
    expect((await call('leak', { mb: 1 }, 'forbidden')).status).toBe(403);
    expect((await call('never-heard-of', {}, 'forbidden-too')).status).toBe(403);
    // Refused before any policy is asked: no row.
    expect((await call('no-such-tool', {}, 'unknown')).status).toBe(404);
    expect((await fleet.call('echo', { text: 'hi' })).status).toBe(401);
    expect(
      (await fleet.request('/fake/mcp/tools/echo', '{', { headers: { authorization: `Bearer ${SECRET}` } })).status,
    ).toBe(400);

    const found = await rows(10);
    const named = (id: string) => found.find((row) => row.request_id === id);
    expect(named('ok')).toMatchObject({
      trace_id: TRACEPARENT.slice(3, 35),
      principal: 'planner',
      bridge: 'fake',
      tool: 'echo',
      effect: 'idempotent',
      attempts: 1,
      outcome: 'ok',
      executed: 'yes',
      arguments_sha256: sha256('{"text":"hi"}'),
      replayed: false,
    });
    const at = Number(named('ok')?.at);
    expect(at).toBeGreaterThanOrEqual(before - 5);
    expect(at).toBeLessThanOrEqual(Date.now());
    expect(named('tool-error')).toMatchObject({ outcome: 'tool_error', executed: 'yes', effect: 'write' });
    expect(named('crash')).toMatchObject({ outcome: 'child_crashed', executed: 'maybe', attempts: 1 });
    expect(named('twice')).toMatchObject({ outcome: 'ok', executed: 'yes', attempts: 2, effect: 'read' });
    expect(named('first')).toMatchObject({ outcome: 'ok', executed: 'yes', attempts: 1, replayed: false });
    expect(Number(named('first')?.duration_ms)).toBeGreaterThanOrEqual(19);
    expect(named('replay')).toMatchObject({ outcome: 'ok', executed: 'yes', attempts: 0, replayed: true });
    expect(named('keyed-crash')).toMatchObject({ outcome: 'child_crashed', executed: 'maybe', replayed: false });
    expect(named('replayed-crash')).toMatchObject({
      outcome: 'child_crashed',
      executed: 'maybe',
      attempts: 0,
      replayed: true,
    });
    expect(named('forbidden')).toMatchObject({
      principal: 'planner',
      tool: 'leak',
      effect: null,
      attempts: 0,
      outcome: 'forbidden_tool',
      executed: 'no',
      arguments_sha256: null,
    });
    expect(named('forbidden-too')?.outcome).toBe('forbidden_tool');
    await fleet.stop();
    expect(await rows(10)).toHaveLength(10);
  });

  it('a client that left is one row, and its tool may have run', async () => {
    using ledger = new Ledger();
    await using fleet = await start({}, {}, { FAKE_LEDGER: ledger.path });
    const leaving = new AbortController();
    const call = fleet
      .call('sleep', { ms: 5_000, honourCancel: true, tag: 'left' }, { signal: leaving.signal })
      .catch(() => undefined);
    await until('it runs', () => ledger.executions('left') === 1);
    leaving.abort();
    await call;
    expect(await rows(1)).toMatchObject([
      { principal: 'anonymous', tool: 'sleep', outcome: 'client_gone', executed: 'maybe', attempts: 1 },
    ]);
  });

  it('rows that wait are written when the process ends', async () => {
    await using fleet = await start();
    await Promise.all(Array.from({ length: 50 }, (_, i) => fleet.call('echo', { text: String(i) })));
    expect((await fleet.stop()).code).toBe(0);
    expect(await rows(50)).toHaveLength(50);
    expect(fleet.everything()).not.toContain('audit rows');
  });

  it('fleet audit tail shows them', async () => {
    await using fleet = await start();
    await fleet.call('echo', { text: 'hi' }, { headers: { 'x-request-id': 'seen-in-the-tail' } });
    await rows(1);
    const { code, stdout } = await command(['audit', 'tail', '-n', '5'], { AUDIT_DATABASE_URL: postgres.url });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\S+Z\tanonymous\tfake\/echo\twrite\tok\tyes\t1\t[\d.]+\tno\tseen-in-the-tail\n$/);
  });

  it('two processes that start together make one table and write to it', async () => {
    await using one = await start();
    await using other = await start();
    await Promise.all([one.call('echo', { text: '1' }), other.call('echo', { text: '2' })]);
    expect(new Set((await rows(2)).map((row) => row.writer)).size).toBe(2);
  });
});

describe('D5 the audit database is away', () => {
  it('at the start and later: calls go on, rows wait, and all are written once it is there', async () => {
    await postgres.server.stop();
    await using fleet = await start();
    try {
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => fleet.call('echo', { text: String(i) })));
      expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
      await until('it is told', async () => (await audited(fleet)).away);
      expect(await audited(fleet)).toMatchObject({ buffered: 20, written: 0, dropped: 0 });
      expect((await fleet.ops('/readyz')).status).toBe(200);
    } finally {
      await postgres.server.start();
    }
    expect(await rows(20)).toHaveLength(20);
    await until('it is told', async () => !(await audited(fleet)).away);
    const said = fleet.log.filter(({ event }) => String(event).startsWith('audit:')).map(({ event }) => event);
    expect(said).toEqual(['audit:away', 'audit:back']);
    expect(fleet.everything()).not.toContain(new URL(postgres.url).password);

    await postgres.server.stop();
    try {
      expect((await fleet.call('echo', { text: 'again' })).status).toBe(200);
    } finally {
      await postgres.server.start();
    }
    expect(await rows(21)).toHaveLength(21);
  });

  it('hanging: calls are answered as ever, and their rows are written once it goes on', async () => {
    await using fleet = await start();
    await fleet.call('echo', { text: 'before' });
    await rows(1);
    signalPostgres(postgres, 'SIGSTOP');
    try {
      for (let i = 0; i < 20; i++) expect((await fleet.call('echo', { text: String(i) })).status).toBe(200);
      expect(await audited(fleet)).toMatchObject({ buffered: 20, written: 1 });
    } finally {
      signalPostgres(postgres, 'SIGCONT');
    }
    expect(await rows(21)).toHaveLength(21);
  });

  it('where it never comes, the process starts, serves and ends in time, and says how many rows are lost', async () => {
    const fleet = await Fleet.fake({}, {}, { env: { AUDIT_DATABASE_URL: 'postgres://u:canary@127.0.0.1:1/db' } });
    await using _fleet = fleet;
    for (let i = 0; i < 3; i++) expect((await fleet.call('echo', { text: 'hi' })).status).toBe(200);
    expect((await fleet.stop()).code).toBe(0);
    expect(fleet.log.find(({ event }) => event === 'audit:lost')).toMatchObject({ rows: 3 });
    expect(fleet.everything()).not.toContain('canary');
  });
});
