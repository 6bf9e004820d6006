import { errorTypeOf, errorTypeOfCode } from '#core/error-type.ts';
import { BridgeError, type ErrorCode } from '#core/errors.ts';
import { type RequestEnd, sourceOf } from '#core/request-end.ts';
import type { EndedSpan } from '#core/telemetry/ended-span.ts';
import { ATTRIBUTE, OTHER } from '#core/telemetry/instruments.ts';

/** The child wrote these messages, and may have put an argument or a secret into them. */
const OF_THE_CHILD: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['child_error', 'invalid_arguments', 'unknown_tool']);

/** What a request's own span tells of its end; below 500 it was answered as it deserved, as the HTTP conventions have it. */
export function setEnd(span: EndedSpan, end: RequestEnd): void {
  const { report, status, code } = end;
  span.set(ATTRIBUTE.httpRequestMethod, end.method);
  span.set(ATTRIBUTE.urlScheme, 'http');
  span.set(ATTRIBUTE.networkProtocolName, 'http');
  span.set(ATTRIBUTE.httpRoute, end.route);
  span.set(ATTRIBUTE.httpResponseStatusCode, status);
  span.set(ATTRIBUTE.bridgeServer, end.bridge);
  if (end.isCall && end.tool !== undefined) span.set(ATTRIBUTE.genAiToolName, end.toolKnown ? end.tool : OTHER);
  span.set(ATTRIBUTE.bridgePrincipal, end.principal);
  span.set(ATTRIBUTE.bridgeEffect, end.effect);
  span.set(ATTRIBUTE.bridgeCode, code);
  span.set(ATTRIBUTE.bridgeExecuted, end.executed);
  if (status === undefined) span.set(ATTRIBUTE.errorType, 'cancelled');
  else if (code !== undefined) span.set(ATTRIBUTE.errorType, errorTypeOfCode(code));
  else if (end.toolFailed) span.set(ATTRIBUTE.errorType, 'tool_error');
  if (status !== undefined && status >= 500) {
    span.failed = true;
    span.message = code ?? '';
  }
  if (report === undefined) return;
  span.set(ATTRIBUTE.bridgeAttempts, report.attempts);
  span.set(ATTRIBUTE.bridgeSource, sourceOf(end));
  span.set(ATTRIBUTE.bridgeRetryClass, report.retry);
  span.set(ATTRIBUTE.bridgeFirstRequestId, report.first?.requestId);
  span.set(ATTRIBUTE.bridgeFirstTraceId, report.first?.traceId);
}

/** What the span of a wait or of an attempt tells of why it failed. */
export function setFailure(span: EndedSpan, error: unknown): void {
  const rpcCode = error instanceof BridgeError ? error.details?.rpcCode : undefined;
  if (rpcCode !== undefined) span.set(ATTRIBUTE.rpcResponseStatusCode, String(rpcCode));
  span.set(ATTRIBUTE.errorType, rpcCode === undefined ? errorTypeOf(error) : String(rpcCode));
  span.failed = true;
  if (!(error instanceof BridgeError)) return;
  span.set(ATTRIBUTE.bridgeCode, error.code);
  span.set(ATTRIBUTE.bridgeExecuted, error.executed);
  if (!OF_THE_CHILD.has(error.code)) span.message = error.message;
}
