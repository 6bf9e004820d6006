import type { ToolCall, ToolPolicy, ToolResult } from '#core/call.ts';

/** A call as the HTTP layer makes it, with what a test wants different. */
export function toolCall(overrides: Partial<ToolCall> & { readonly effect?: ToolPolicy['effect'] } = {}): ToolCall {
  const { effect = 'read', ...rest } = overrides;
  return {
    bridge: 'test',
    tool: 'echo',
    policy: { effect, deadlineMs: 30_000, cacheTtlMs: 0, idempotencyKey: 'never' },
    argumentsJson: '{}',
    principal: 'anonymous',
    requestId: 'test-request',
    arrivedAtMs: performance.now(),
    timeoutMs: 30_000,
    abort: new AbortController(),
    ...rest,
  };
}

/** A result with this JSON text. */
export function toolResult(json = '{"content":[]}', isError = false): ToolResult {
  const body = Buffer.from(json);
  return { body: [body], length: body.length, isError };
}
