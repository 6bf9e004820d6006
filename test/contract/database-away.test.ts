/** Acceptance D5: the database behind the tools of the postgres bridge is away, killed or hanging; a fake bridge beside it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FAKE_CHILD } from '../support/fake-child.ts';
import { type Answer, Fleet, type RequestOptions } from '../support/fleet.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import { signalPostgres } from '../support/signal-postgres.ts';
import { until } from '../support/until.ts';

const DEADLINE_MS = 1_500;

let postgres: TestPostgres;
let fleet: Fleet;

beforeAll(async () => {
  postgres = await startTestPostgres();
  const url = await postgres.createDatabase('planner', 'planner_reader');
  fleet = await Fleet.start({
    config: {
      mcpServers: {
        postgres: {
          env: { DATABASE_URL: url },
          breaker: { minCalls: 3, openMs: 60_000 },
          tools: { query: { effect: 'read', deadlineMs: DEADLINE_MS } },
        },
        fake: { command: process.execPath, args: [FAKE_CHILD] },
      },
    },
  });
});

afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

const query = (): Promise<Answer> => fleet.request('/postgres/mcp/tools/query', { sql: 'select 1 as one' });
const listSchemas = (options: RequestOptions = {}): Promise<Answer> =>
  fleet.request('/postgres/mcp/tools/list_schemas', {}, options);

async function othersGoOn(): Promise<void> {
  const answers = await Promise.all(Array.from({ length: 10 }, () => fleet.call('echo', { text: 'x' })));
  expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
}

const circuits = async (): Promise<Record<string, string>> => {
  const { breakers } = await fleet.status('postgres');
  return Object.fromEntries(breakers.map(({ tool, state }: { tool: string; state: string }) => [tool, state]));
};

it('D5 killed under the calls of its tools: each is told so by its tool, nothing else notices, and it comes back', async () => {
  expect((await query()).json.structuredContent.rows).toEqual([{ one: 1 }]);
  const running = Array.from({ length: 3 }, () =>
    fleet.request('/postgres/mcp/tools/query', { sql: 'select pg_sleep(1)' }),
  );
  await until('they run', async () => {
    const [row] = await postgres.admin<{ n: string }>(
      "select count(*) as n from pg_stat_activity where query like 'select pg_sleep%'",
    );
    return row?.n === '3';
  });
  signalPostgres(postgres, 'SIGKILL');
  const cut = await Promise.all(running);
  const refused = [await query(), await query(), await query()];
  for (const { status, json, headers } of [...cut, ...refused]) {
    expect([status, json.isError, headers['x-tool-error']]).toEqual([200, true, 'true']);
    expect(json.structuredContent ?? json.content).toBeDefined();
    expect(JSON.stringify(json)).toContain('database_unavailable');
    expect(JSON.stringify(json)).not.toContain('127.0.0.1');
  }
  await othersGoOn();
  // The tool answered: nothing is counted against it.
  expect(await circuits()).toEqual({ query: 'closed' });
  await postgres.server.stop();
  await postgres.server.start();
  await until('it answers again', async () => (await query()).json.structuredContent?.rows?.[0]?.one === 1);
});

it('D5 hanging: the calls of its tools end in time, nothing else notices, and it comes back', async () => {
  expect((await query()).json.structuredContent.rows).toEqual([{ one: 1 }]);
  signalPostgres(postgres, 'SIGSTOP');
  try {
    const late = await Promise.all([query(), query(), query()]);
    for (const { json } of late) {
      if (json.isError !== true) expect(json).toMatchObject({ code: 'deadline_exceeded', executed: 'maybe' });
    }
    await othersGoOn();
    // Whatever was counted was counted against that tool alone: another one is asked, not refused.
    const other = await listSchemas({ headers: { 'x-request-timeout-ms': '300' } });
    if (other.json.isError !== true) expect(other.json).toMatchObject({ code: 'deadline_exceeded' });
    expect(await circuits()).toMatchObject({ list_schemas: 'closed' });
  } finally {
    signalPostgres(postgres, 'SIGCONT');
  }
  await until('it answers again', async () => {
    const { status, json } = await listSchemas();
    return status === 200 && json.isError !== true;
  });
});
