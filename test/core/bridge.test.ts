import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { type BridgeEvent, type BridgeSettings, createBridge } from '#core/bridge.ts';
import { logBridge } from '#core/telemetry/log-bridge.ts';
import { toolPolicy } from '../support/calls.ts';
import { until } from '../support/until.ts';

function settings(env: Readonly<Record<string, string>>): BridgeSettings {
  const policy = toolPolicy({ effect: 'write' });
  return {
    name: 'fake',
    title: 'Fake',
    description: 'misbehaves',
    mode: 'live',
    missing: [],
    command: process.execPath,
    args: [resolve('test/fixtures/fake-child.mjs')],
    env,
    cwd: process.cwd(),
    secrets: [],
    pool: {
      min: 1,
      max: 1,
      concurrency: 4,
      queueMax: 4,
      idleMs: 300_000,
      maxAgeMs: 3_600_000,
      maxUses: 100_000,
      minLifeMs: 60_000,
      maxRssMb: 512,
      startDeadlineMs: 15_000,
      maxLineBytes: 8_388_608,
      maxShareOfTool: 1,
    },
    era: 'legacy',
    validateOutput: false,
    principalMeta: false,
    pinFile: undefined,
    breaker: { errorPercent: 50, minCalls: 20, windowMs: 10_000, openMs: 10_000, probes: 3 },
    tools: {},
    otherTools: policy,
  };
}

it('who waits for the first list of tools waits no longer than until the call ends, whatever reading the list takes', async () => {
  const events: BridgeEvent[] = [];
  const bridge = createBridge(settings({ FAKE_MANY_TOOLS: '900' }), {
    baseEnv: process.env,
    on: (event) => events.push(event),
  });
  try {
    const started = bridge.start();
    const abort = new AbortController();
    const listed = Promise.resolve(bridge.tools(abort.signal)).catch((error: unknown) => error);
    await until('a worker is ready', () => bridge.ready);
    abort.abort('the deadline');
    expect(await listed).toBe('the deadline');
    expect(events.some(({ event }) => event === 'tools:listed')).toBe(false);
    await started;
    const catalog = await bridge.tools(new AbortController().signal);
    expect(catalog.get('tool_899')).toBeDefined();
  } finally {
    await bridge.destroy();
  }
});

it('why a worker did not start is a warning, also where it was ended for that', () => {
  const levels: string[] = [];
  const note = (level: string) => () => void levels.push(level);
  const log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  const told = logBridge(log as never, 'fake');
  const end = { summary: 'signal SIGKILL', expected: true };
  told({ event: 'worker:ended', workerId: 1, reason: 'start_failed', end });
  told({ event: 'worker:ended', workerId: 2, reason: 'idle', end });
  told({ event: 'worker:ended', workerId: 3, reason: 'crashed', end: { ...end, expected: false } });
  expect(levels).toEqual(['warn', 'info', 'warn']);
});
