import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { ToolError } from '#core/server-kit/tool-error.ts';

function result(structuredContent: Record<string, unknown>, isError: boolean): CallToolResult {
  const content: CallToolResult['content'] = [{ type: 'text', text: JSON.stringify(structuredContent) }];
  return isError ? { content, structuredContent, isError } : { content, structuredContent };
}

/** A tool's answer: the object, and the same as compact JSON for clients that read text only. */
export function success(output: Readonly<Record<string, unknown>>): CallToolResult {
  return result(output, false);
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
