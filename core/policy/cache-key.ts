import { hash } from 'node:crypto';
import type { ToolCall } from '#core/call.ts';
import { canonicalArguments } from '#core/policy/canonical-arguments.ts';

/** Where parsing might round a number: 16 digits in a row, or an exponent. */
const RISKY_NUMBER = /[0-9]{16}|[0-9][eE][+-]?[0-9]/;

/**
 * What an answer depends on, as SHA-256 (base64url): who asks, the bridge, the tool as it is defined now, and the
 * arguments in whatever order they were written. `scope` is what else sets apart those who share a store.
 *
 * Never the same for arguments of different meaning; where a number might be rounded on the way the arguments count
 * as they are spelled.
 */
export function cacheKey(call: ToolCall, scope: string): string {
  const { principal, bridge, tool, definition, argumentsJson } = call;
  // An array of texts ends where it ends: nothing can be moved from one member to the next.
  const head = JSON.stringify([scope, principal.id, bridge, tool, definition.sha256]);
  return hash('sha256', head + canonical(argumentsJson), 'base64url');
}

function canonical(json: string): string {
  return json === '{}' || RISKY_NUMBER.test(json) ? json : canonicalArguments(json);
}
