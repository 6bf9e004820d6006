import type { CallReport, ToolCall, ToolPolicy, ToolResult } from '#core/call.ts';
import { anonymousPrincipal } from '#core/principal.ts';

/** The settings of a tool, with what a test wants different. */
export function toolPolicy(overrides: Partial<ToolPolicy> = {}): ToolPolicy {
  return {
    effect: 'read',
    deadlineMs: 30_000,
    cacheTtlMs: 0,
    idempotencyKey: 'optional',
    vendorKey: false,
    reconcile: false,
    ratePerMinute: 0,
    ...overrides,
  };
}

/** What no policy has written to yet. */
export function callReport(): CallReport {
  return { attempts: 0, source: 'child', ageMs: 0, quota: undefined, retry: undefined, waitMs: 0, childMs: 0 };
}

/** A call as the HTTP layer makes it, with what a test wants different. */
export function toolCall(overrides: Partial<ToolCall> = {}): ToolCall {
  const policy = overrides.policy ?? toolPolicy({ effect: overrides.effect ?? 'read' });
  return {
    bridge: 'test',
    tool: 'echo',
    definition: { sha256: 'd'.repeat(64) },
    policy,
    effect: policy.effect,
    argumentsJson: '{}',
    principal: anonymousPrincipal(),
    requestId: 'test-request',
    reconcile: false,
    fresh: false,
    report: callReport(),
    arrivedAtMs: performance.now(),
    timeoutMs: 30_000,
    abort: new AbortController(),
    ...overrides,
  };
}

/** A result with this JSON text. */
export function toolResult(json = '{"content":[]}', isError = false): ToolResult {
  const body = Buffer.from(json);
  return { body: [body], length: body.length, isError };
}
