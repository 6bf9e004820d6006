import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AuditFollower } from '#core/cli/audit-follower.ts';
import { AuditTable } from '#core/cli/audit-table.ts';
import { type AuditRecord, PostgresAuditReader } from '#core/store/postgres-audit-reader.ts';
import { PostgresAuditWriter } from '#core/store/postgres-audit-writer.ts';
import { auditRow } from '../../support/audit-rows.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';
import { fleet } from './run.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

let postgres: TestPostgres;
let writer: PostgresAuditWriter;
let written = 0;

beforeAll(async () => {
  postgres = await startTestPostgres();
});

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

beforeEach(async () => {
  await postgres.admin('drop table if exists bridge_audit, bridge_audit_version');
  writer = new PostgresAuditWriter({ url: postgres.url });
  written = 0;
  return () => writer.close();
});

async function write(...rows: Parameters<typeof auditRow>[0][]): Promise<void> {
  await writer.write(
    rows.map((row) => auditRow(row)),
    written,
  );
  written += rows.length;
}

const tail = (...args: string[]) => fleet(['audit', 'tail', ...args], { AUDIT_DATABASE_URL: postgres.url });

describe('fleet audit tail', () => {
  it('prints the last calls, oldest first, one per line with a tab between the columns', async () => {
    await write({ requestId: 'a' }, { requestId: 'b' }, { requestId: 'c', replayed: true, effect: undefined });
    expect(await tail('--lines', '2')).toEqual({
      code: 0,
      stdout:
        '2026-11-20T12:00:00.123Z\tplanner\tslack/post\twrite\tok\tyes\t1\t12.5\tno\tb\n' +
        '2026-11-20T12:00:00.123Z\tplanner\tslack/post\t-\tok\tyes\t1\t12.5\tyes\tc\n',
      stderr: '',
    });
    expect((await tail()).stdout.split('\n')).toHaveLength(4);
  });

  it('prints what is asked for: of a principal, of a bridge, of the last minutes, as JSON', async () => {
    await write(
      { requestId: 'old', at: new Date(Date.now() - 3_600_000) },
      { requestId: 'guest', principal: 'guest', at: new Date() },
      { requestId: 'stripe', bridge: 'stripe', at: new Date() },
    );
    const names = async (...args: string[]) =>
      (await tail('--json', ...args)).stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line).requestId);
    expect(await names('--principal', 'planner')).toEqual(['old', 'stripe']);
    expect(await names('--bridge', 'stripe')).toEqual(['stripe']);
    expect(await names('--since', '10m')).toEqual(['guest', 'stripe']);
    expect(JSON.parse((await tail('--json', '-n', '1')).stdout)).toMatchObject({
      id: 3,
      bridge: 'stripe',
      argumentsSha256: 'a'.repeat(64),
      dropped: null,
    });
  });

  it('prints nothing that moves a terminal, nor a line more than there are rows', async () => {
    const tool = 'x\u001b[2J\r\n\t\u009b\u202e\\u0041';
    await write({ tool });
    const plain = await tail();
    expect(plain.stdout).toContain('slack/x\\u001b[2J\\u000d\\u000a\\u0009\\u009b\\u202e\\\\u0041\twrite');
    const json = await tail('--json');
    expect(json.stdout).toMatch(/^[ -~]*\n$/);
    expect(JSON.parse(json.stdout).tool).toBe(tool);
  });

  it('says of rows that are missing how many', async () => {
    await writer.write([{ at: new Date(0), outcome: 'audit_dropped', dropped: 12, durationMs: 700 }], 0);
    expect((await tail()).stdout).toBe(
      '1970-01-01T00:00:00.000Z\t-\t(12 rows missing)\t-\taudit_dropped\t-\t-\t700.0\t-\t-\n',
    );
  });

  it('follows those that come, through an outage too, until it is ended', async () => {
    await write({ requestId: 'first' });
    await using following = follow('--follow');
    await until('the first is there', () => following.lines.length === 1);
    await write({ requestId: 'second' }, { requestId: 'third' });
    await until('the next are there', () => following.lines.length === 3);
    await postgres.server.stop();
    await until('it says so', () => following.errors().includes('trying again: the database cannot be reached'));
    await postgres.server.start();
    await until('it says so again', () => following.errors().includes('can be read again'));
    await write({ requestId: 'fourth' });
    await until('the last is there', () => following.lines.length === 4);
    expect(following.lines.map((line) => line.split('\t').at(-1))).toEqual(['first', 'second', 'third', 'fourth']);
    expect(following.errors().split('\n')).toHaveLength(3);
    expect(following.errors()).not.toContain(postgres.url);
  });

  it('ends quietly when its reader does', async () => {
    await write({ requestId: 'first' });
    await using following = follow('-f');
    await until('the first is there', () => following.lines.length === 1);
    following.child.stdout.destroy();
    await write({ requestId: 'second' });
    expect(await following.ended).toEqual([0, null]);
    expect(following.errors()).toBe('');
  });

  it('takes the connection string from a file', async () => {
    await write({});
    const folder = mkdtempSync(join(tmpdir(), 'fleet-audit-'));
    try {
      writeFileSync(join(folder, 'url'), `${postgres.url}\n`);
      const { code, stdout } = await fleet(['audit', 'tail'], { AUDIT_DATABASE_URL_FILE: join(folder, 'url') });
      expect({ code, lines: stdout.split('\n').length }).toEqual({ code: 0, lines: 2 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    ['no variable', 78, /^fleet: AUDIT_DATABASE_URL: is not set; .*\n$/, [], {}],
    [
      'a file that is not there',
      78,
      /^fleet: AUDIT_DATABASE_URL_FILE: its file cannot be read \(ENOENT\)/,
      [],
      { AUDIT_DATABASE_URL_FILE: '/nowhere/canary' },
    ],
    [
      'no database',
      69,
      /^fleet: the audit cannot be read: the database cannot be reached \(ECONNREFUSED\)\n$/,
      [],
      { AUDIT_DATABASE_URL: 'postgres://canary:canary@127.0.0.1:1/canary' },
    ],
    ['no number of lines', 64, /^fleet: --lines: must be a whole number from 0 to 10000\n$/, ['-n', '-1'], {}],
    ['no time', 64, /^fleet: --since: must be a number with s, m, h or d, such as 10m\n$/, ['--since', '10'], {}],
    ['an unknown option', 64, /unknown option '--folow'\n\(Did you mean --follow\?\)/, ['--folow'], {}],
  ])('%s is one clear line and %i', async (_, code, message, args, env) => {
    const result = await fleet(['audit', 'tail', ...args], env);
    expect(result.stderr).toMatch(message);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).not.toContain('canary');
  });

  it('a table that is not there is one clear line and 69', async () => {
    const { code, stderr } = await tail();
    expect(stderr).toBe(
      'fleet: the audit cannot be read: the table is missing; let a role that may make it start once (42P01)\n',
    );
    expect(code).toBe(69);
  });
});

describe('the table', () => {
  const record = (overrides: Partial<AuditRecord>): AuditRecord => ({
    ...auditRow(),
    id: 1,
    traceId: null,
    effect: 'write',
    argumentsSha256: null,
    dropped: null,
    ...overrides,
  });

  it('stands aligned under its titles, which come once', () => {
    const table = new AuditTable('table');
    const first = table.lines([record({}), record({ principal: 'somebody-longer', durationMs: 1234.56 })]);
    expect(first.split('\n')).toEqual([
      'TIME                      PRINCIPAL        TOOL        EFFECT  OUTCOME  EXECUTED  TRIES      MS  REPLAYED  REQUEST',
      '2026-11-20T12:00:00.123Z  planner          slack/post  write   ok       yes           1    12.5  no        request',
      '2026-11-20T12:00:00.123Z  somebody-longer  slack/post  write   ok       yes           1  1234.6  no        request',
      '',
    ]);
    expect(table.lines([record({})]).split('\n')).toHaveLength(2);
  });
});

describe('following', () => {
  it('every row comes once, also one that is committed after rows with greater ids', async () => {
    await write({}, {}, {}, {}, {});
    // As if its transaction were still under way: it has its id and is not seen.
    await postgres.admin('create table hidden as select * from bridge_audit where id = 4');
    await postgres.admin('delete from bridge_audit where id = 4');
    const reader = new PostgresAuditReader(postgres.url);
    try {
      let nowMs = 0;
      const follower = new AuditFollower(reader, {}, () => nowMs);
      const ids = (records: readonly AuditRecord[]) => records.map(({ id }) => id);
      expect(ids(await follower.first(2))).toEqual([3, 5]);
      expect(ids(await follower.next())).toEqual([]);
      await postgres.admin('insert into bridge_audit overriding system value select * from hidden');
      nowMs = 4_000;
      expect(ids(await follower.next())).toEqual([4]);
      await write({});
      nowMs = 10_000;
      expect(ids(await follower.next())).toEqual([6]);
      expect(ids(await follower.next())).toEqual([]);
      nowMs = 60_000;
      expect(ids(await follower.next())).toEqual([]);
    } finally {
      await reader.close();
      await postgres.admin('drop table hidden');
    }
  });

  it('without a line of the past it starts with what comes', async () => {
    await write({}, {});
    const reader = new PostgresAuditReader(postgres.url);
    try {
      const follower = new AuditFollower(reader, {});
      expect(await follower.first(0)).toEqual([]);
      await write({ requestId: 'new' });
      expect((await follower.next()).map(({ requestId }) => requestId)).toEqual(['new']);
    } finally {
      await reader.close();
    }
  });
});

/** The command as it runs on and on. */
function follow(...args: string[]) {
  const child = spawn(process.execPath, [join(ROOT, 'core/cli/fleet.ts'), 'audit', 'tail', ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, AUDIT_DATABASE_URL: postgres.url },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  const ended = once(child, 'exit');
  const lines: string[] = [];
  let errors = '';
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  return {
    child,
    ended,
    lines,
    errors: () => errors,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
