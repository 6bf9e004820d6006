import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Invoke } from '#core/call.ts';
import { BridgeError, CLIENT_GONE } from '#core/errors.ts';
import { audit, forbiddenRow } from '#core/policy/audit.ts';
import { anonymousPrincipal } from '#core/principal.ts';
import type { AuditRow } from '#core/store/audit-store.ts';
import { callReport, toolCall, toolResult } from '../../support/calls.ts';
import { until } from '../../support/until.ts';

const clock = { now: () => 1_250, wallNow: () => Date.parse('2026-11-20T12:00:00.250Z') };

function audited(next: Invoke) {
  const rows: AuditRow[] = [];
  return { rows, invoke: audit({ record: (row) => rows.push(row) }, clock)(next) };
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

it('a call that ended well is one row with everything that is known of it', async () => {
  const { rows, invoke } = audited(async (call) => {
    call.report.attempts = 2;
    return toolResult();
  });
  const argumentsJson = '{"text":"grüße"}';
  await invoke(
    toolCall({
      bridge: 'slack',
      tool: 'post',
      effect: 'write',
      argumentsJson,
      requestId: 'r-1',
      principal: { ...anonymousPrincipal(), id: 'planner' },
      trace: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
      arrivedAtMs: 1_000,
    }),
  );
  expect(rows).toEqual([
    {
      at: new Date('2026-11-20T12:00:00.000Z'),
      requestId: 'r-1',
      traceId: '0af7651916cd43dd8448eb211c80319c',
      principal: 'planner',
      bridge: 'slack',
      tool: 'post',
      effect: 'write',
      attempts: 2,
      outcome: 'ok',
      executed: 'yes',
      durationMs: 250,
      argumentsSha256: sha256(argumentsJson),
      replayed: false,
    },
  ]);
});

it('a result, its replay and its copy in the cache are told apart', async () => {
  for (const [source, isError, expected] of [
    ['child', true, { outcome: 'tool_error', executed: 'yes', replayed: false }],
    ['record', false, { outcome: 'ok', executed: 'yes', replayed: true }],
    ['reconciled', false, { outcome: 'ok', executed: 'yes', replayed: false }],
    ['cache', false, { outcome: 'ok', executed: 'no', replayed: false }],
  ] as const) {
    const { rows, invoke } = audited(async () => toolResult('{"content":[]}', isError));
    await invoke(toolCall({ report: { ...callReport(), source } }));
    expect(rows).toMatchObject([expected]);
  }
});

it('an error is one row with its code and what it says of having been executed, and is thrown on unchanged', async () => {
  for (const executed of ['no', 'maybe', 'yes'] as const) {
    const error = new BridgeError('child_crashed', 'gone', { executed });
    const { rows, invoke } = audited(() => Promise.reject(error));
    await expect(invoke(toolCall({ report: { ...callReport(), source: 'record' } }))).rejects.toBe(error);
    expect(rows).toMatchObject([{ outcome: 'child_crashed', executed, replayed: true }]);
  }
});

it('a client that left may have been served, unless nothing ever went towards a worker', async () => {
  for (const [attempts, executed] of [
    [0, 'no'],
    [1, 'maybe'],
  ] as const) {
    const call = toolCall({ report: { ...callReport(), attempts } });
    const { rows, invoke } = audited(async ({ abort }) => {
      abort.abort(CLIENT_GONE);
      throw abort.signal.reason;
    });
    await expect(invoke(call)).rejects.toBe(CLIENT_GONE);
    expect(rows).toMatchObject([{ outcome: 'client_gone', executed }]);
  }
});

it('an error of ours is written down as one, and nobody knows what was executed', async () => {
  const { rows, invoke } = audited(() => Promise.reject(new TypeError('oops')));
  await expect(invoke(toolCall())).rejects.toThrow('oops');
  expect(rows).toMatchObject([{ outcome: 'internal', executed: 'maybe' }]);
});

it('long arguments are hashed after the answer has left', async () => {
  const argumentsJson = JSON.stringify({ text: 'x'.repeat(100_000) });
  const { rows, invoke } = audited(async () => toolResult());
  await invoke(toolCall({ argumentsJson }));
  expect(rows).toEqual([]);
  await until('the row is there', () => rows.length === 1);
  expect(rows[0]?.argumentsSha256).toBe(sha256(argumentsJson));
});

it('a call that its principal may not make is a row without effect and arguments, its tool name bounded', () => {
  const refused = {
    principal: { ...anonymousPrincipal(), id: 'guest' },
    bridge: 'stripe',
    tool: 'refund',
    requestId: 'r-2',
    trace: undefined,
    arrivedAtMs: 1_249,
  };
  expect(forbiddenRow(refused, clock)).toEqual({
    at: new Date('2026-11-20T12:00:00.249Z'),
    requestId: 'r-2',
    traceId: undefined,
    principal: 'guest',
    bridge: 'stripe',
    tool: 'refund',
    effect: undefined,
    attempts: 0,
    outcome: 'forbidden_tool',
    executed: 'no',
    durationMs: 1,
    argumentsSha256: undefined,
    replayed: false,
  });
  const long = forbiddenRow({ ...refused, tool: 'x'.repeat(8_000) }, clock);
  expect(long.tool).toHaveLength(128);
});
