/** What `npm start` runs: `fleet dev`, every bridge at once, those without secrets against their stand-in. */
import { expect, it } from 'vitest';
import { Fleet } from '../support/fleet.ts';

it('fleet dev answers with real rows, and says on every answer and in /status that it is a sandbox', async () => {
  await using fleet = await Fleet.start({ args: ['dev'] });
  const { json: home } = await fleet.request('/', undefined, { method: 'GET' });
  expect(home.bridges).toContainEqual(expect.objectContaining({ name: 'postgres', mode: 'sandbox' }));
  const answer = await fleet.request('/postgres/mcp/tools/query', {
    sql: 'select * from events order by starts_at limit 3',
  });
  expect(answer.status).toBe(200);
  expect(answer.json.structuredContent.rows).toHaveLength(3);
  expect(answer.headers['x-bridge-mode']).toBe('sandbox');
  expect((await fleet.status('postgres')).mode).toBe('sandbox');
  expect((await fleet.ops('/readyz')).status).toBe(200);
  expect(await fleet.stop('SIGTERM')).toEqual({ code: 0, signal: null });
}, 60_000);
