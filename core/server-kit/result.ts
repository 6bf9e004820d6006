import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import type { Reconciliation } from '#core/server-kit/define-tool.ts';
import { RECONCILED_META } from '#core/server-kit/tool-context.ts';
import { ToolError } from '#core/server-kit/tool-error.ts';

function result(structuredContent: Record<string, unknown>, isError: boolean): CallToolResult {
  const content: CallToolResult['content'] = [{ type: 'text', text: JSON.stringify(structuredContent) }];
  return isError ? { content, structuredContent, isError } : { content, structuredContent };
}

/** A tool's answer: the object, and the same as compact JSON for clients that read text only. */
export function success(output: Readonly<Record<string, unknown>>): CallToolResult {
  return result(output, false);
}

/** What became of an earlier call: its answer where it happened, and the verdict in `_meta`. */
export function reconciled(reconciliation: Reconciliation<Readonly<Record<string, unknown>>>): CallToolResult {
  const { found } = reconciliation;
  const answer =
    found === 'executed'
      ? success(reconciliation.result)
      : result(found === 'unknown' ? { looked: reconciliation.looked } : {}, false);
  return { ...answer, _meta: { [RECONCILED_META]: found } };
}

/** A tool's no, as `{error: {code, message, retryable, hint, …}}`. */
export function failure(error: ToolError): CallToolResult {
  const { code, message, retryable, hint, details } = error;
  return result({ error: { code, message, retryable, ...(hint === undefined ? {} : { hint }), ...details } }, true);
}

/** Any throw of a tool as a ToolError; what is not one is our bug and tells nothing of itself. */
export function toToolError(error: unknown, tool: string): ToolError {
  if (error instanceof ToolError) return error;
  return new ToolError('internal', `${tool} failed unexpectedly`, {
    hint: 'This is a bug in the server; its log has the details',
    cause: error,
  });
}
