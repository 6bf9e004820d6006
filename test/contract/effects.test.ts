/** Contract section 4: what may be repeated is said by the operator, never by the child. */
import { expect, it } from 'vitest';
import { Fleet } from '../support/fleet.ts';

it('a tool that calls itself read-only is a write until the operator says otherwise', async () => {
  const effectOf = async (fleet: Fleet) => {
    const { json } = await fleet.request('/fake/mcp/tools/echo', undefined, { method: 'GET' });
    expect(json.annotations.readOnlyHint).toBe(true);
    return json.policy.effect;
  };
  await using unsaid = await Fleet.fake();
  expect(await effectOf(unsaid)).toBe('write');
  await using said = await Fleet.fake({}, { tools: { echo: { effect: 'idempotent' } } });
  expect(await effectOf(said)).toBe('idempotent');
});
