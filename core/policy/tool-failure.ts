import type { ToolResult } from '#core/call.ts';
import type { Executed } from '#core/errors.ts';
import { printable } from '#core/printable.ts';

/** A tool's own failure in its own words, as far as it says any. */
export interface ToolFailure {
  readonly code: string;
  readonly message: string;
  /** `yes` where it says nothing of it: it was called and has answered. */
  readonly executed: Executed;
}

/** The code of a tool that ran and cannot say itself what became of it. */
const OUTCOME_UNKNOWN = 'outcome_unknown';
const SAYS_NOTHING: ToolFailure = { code: '', message: '', executed: 'yes' };
/** What a tool says of itself is short; more is not parsed for it. */
const MAX_PARSED_BYTES = 65_536;

/**
 * What the result of a tool that says no says of the reason, in `structuredContent.error`, as the servers of
 * `server-kit/` write it. Nothing where it says it elsewhere, or at length; never throws.
 */
export function toolFailureOf(answer: ToolResult): ToolFailure {
  const error = structuredContentOf(answer)?.error;
  if (!isObject(error)) return SAYS_NOTHING;
  const code = said(error.code);
  // Who does not know whether it ran cannot know that it did not.
  const isUnknown = code === OUTCOME_UNKNOWN || error.executed === 'maybe';
  return { code, message: said(error.message), executed: isUnknown ? 'maybe' : error.executed === 'no' ? 'no' : 'yes' };
}

/** The result's `structuredContent`; undefined where there is none, or none worth parsing. */
export function structuredContentOf({ body, length }: ToolResult): Readonly<Record<string, unknown>> | undefined {
  if (length > MAX_PARSED_BYTES) return undefined;
  const result = parsed(Buffer.concat(body).toString('utf8'));
  return isObject(result) && isObject(result.structuredContent) ? result.structuredContent : undefined;
}

/** A tool's text as it may be shown; empty where it is none. */
export function said(text: unknown): string {
  return typeof text === 'string' ? printable(text) : '';
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** A JSON object, and no array. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
