import type { ToolResult } from '#core/call.ts';
import { replaceMember } from '#core/json/replace-member.ts';
import { isObject, said, structuredContentOf, type ToolFailure, toolFailureOf } from '#core/policy/tool-failure.ts';

/** What a tool that was only to look says it found. */
export type Finding =
  /** It happened; the result is what running it would have answered. */
  | { readonly found: 'executed'; readonly result: ToolResult }
  | { readonly found: 'not_executed' }
  /** `looked`: where, in the tool's words. */
  | { readonly found: 'unknown'; readonly looked: string }
  /** The tool could not look. */
  | ({ readonly found: 'failed' } & ToolFailure);

/** Member of a result's `_meta`: what was found. */
const RECONCILED_META = 'mcp-bridge-fleet/reconciled';
/** Members of `_meta` that are between a tool and this bridge. */
const OUR_META = 'mcp-bridge-fleet/';
/** Beyond it nothing is parsed for a word. */
const MAX_META_BYTES = 65_536;

/**
 * What a tool found that was only to look.
 * @returns undefined where the answer does not say: the tool may have run instead
 */
export function readFinding(answer: ToolResult): Finding | undefined {
  if (answer.isError) return { found: 'failed', ...toolFailureOf(answer) };
  let found: unknown;
  const body = replaceMember(Buffer.concat(answer.body), '_meta', (value) => {
    const meta: unknown = value.length > MAX_META_BYTES ? undefined : JSON.parse(value.toString('utf8'));
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

function resultOf(body: readonly Buffer[]): ToolResult {
  return { body, length: body.reduce((sum, piece) => sum + piece.length, 0), isError: false };
}
