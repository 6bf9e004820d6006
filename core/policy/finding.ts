import type { ToolResult } from '#core/call.ts';
import { replaceMember } from '#core/json/replace-member.ts';
import { printable } from '#core/printable.ts';

/** What a tool that was only to look says it found. */
export type Finding =
  /** It happened; the result is what running it would have answered. */
  | { readonly found: 'executed'; readonly result: ToolResult }
  | { readonly found: 'not_executed' }
  /** `looked`: where, in the tool's words. */
  | { readonly found: 'unknown'; readonly looked: string }
  /** The tool could not look. */
  | ({ readonly found: 'failed' } & ToolFailure);

/** A tool's own failure in its own words, as far as it says any. */
export interface ToolFailure {
  readonly code: string;
  readonly message: string;
}

/** Member of a result's `_meta`: what was found. */
const RECONCILED_META = 'mcp-bridge-fleet/reconciled';
/** Members of `_meta` that are between a tool and this bridge. */
const OUR_META = 'mcp-bridge-fleet/';
/** What a tool says of itself is short; more is not parsed for it. */
const MAX_PARSED_BYTES = 65_536;

/**
 * What a tool found that was only to look.
 * @returns undefined where the answer does not say: the tool may have run instead
 */
export function readFinding(answer: ToolResult): Finding | undefined {
  if (answer.isError) return { found: 'failed', ...toolFailureOf(answer) };
  let found: unknown;
  const body = replaceMember(Buffer.concat(answer.body), '_meta', (value) => {
    const meta: unknown = value.length > MAX_PARSED_BYTES ? undefined : JSON.parse(value.toString('utf8'));
    if (!isObject(meta)) return undefined;
    found = meta[RECONCILED_META];
    const others = Object.entries(meta).filter(([name]) => !name.startsWith(OUR_META));
    return others.length === 0 ? undefined : Buffer.from(JSON.stringify(Object.fromEntries(others)));
  });
  switch (found) {
    case 'executed':
      return { found, result: resultOf(body ?? []) };
    case 'not_executed':
      return { found };
    case 'unknown':
      return { found, looked: said(structuredContentOf(answer)?.looked) };
    default:
      return undefined;
  }
}

/** What the result of a tool that says no says of the reason; empty where it says nothing, or at length. */
export function toolFailureOf(answer: ToolResult): ToolFailure {
  const error = structuredContentOf(answer)?.error;
  return isObject(error) ? { code: said(error.code), message: said(error.message) } : { code: '', message: '' };
}

function resultOf(body: readonly Buffer[]): ToolResult {
  return { body, length: body.reduce((sum, piece) => sum + piece.length, 0), isError: false };
}

function structuredContentOf({ body, length }: ToolResult): Readonly<Record<string, unknown>> | undefined {
  if (length > MAX_PARSED_BYTES) return undefined;
  const { structuredContent } = JSON.parse(Buffer.concat(body).toString('utf8')) as { structuredContent?: unknown };
  return isObject(structuredContent) ? structuredContent : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function said(text: unknown): string {
  return typeof text === 'string' ? printable(text) : '';
}
