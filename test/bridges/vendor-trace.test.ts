/** A trace does not end at our servers: the vendor is told of it, where there is one. */
import { expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { startVendor } from '../support/vendor.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

it.each(['slack', 'stripe', 'twilio', 'gdrive', 'calendar'] as const)(
  'a request to the vendor of %s carries the trace of its call, and none where there is none',
  async (name) => {
    await using vendor = await startVendor(name);
    const reads = (await vendor.tools()).filter(
      ({ policy, inputSchema }) =>
        policy.effect === 'read' && !('required' in inputSchema && (inputSchema.required as string[]).length > 0),
    );
    const [tool] = reads;
    if (tool === undefined) throw new Error(`${name} has no read tool without required arguments`);
    // The first request loads the vendor's SDK, which may take its time on a busy machine.
    const warm = async () => (await vendor.call(tool.name)).status === 200;
    await until('the server has its SDK', warm, { timeoutMs: 60_000 });
    const asked = async (headers: Readonly<Record<string, string>>) => {
      const before = (await vendor.sandbox.received()).length;
      const answer = await vendor.call(tool.name, {}, headers);
      expect([answer.status, answer.isError]).toEqual([200, false]);
      const requests = (await vendor.sandbox.received()).slice(before);
      return requests.filter(({ path }) => !path.includes('token')).map((request) => request.headers.traceparent);
    };
    const traced = await asked({ traceparent: TRACEPARENT, 'cache-control': 'no-cache' });
    expect(traced.length).toBeGreaterThan(0);
    expect(new Set(traced)).toEqual(new Set([TRACEPARENT]));
    const untraced = await asked({ 'cache-control': 'no-cache' });
    expect(new Set(untraced)).toEqual(new Set([undefined]));
  },
);
