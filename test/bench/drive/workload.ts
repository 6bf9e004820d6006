import { blobLine } from '../blob.mjs';

/** What is called, again and again. */
export type Workload =
  | { readonly tool: 'echo'; readonly bytes: number }
  | { readonly tool: 'blob'; readonly bytes: number }
  | { readonly tool: 'sleep'; readonly ms: number };

/** Where a call's number starts, so that it always has nine digits and every request the same length. */
export const FIRST_CALL = 100_000_001;
const TAG_LENGTH = 'call-123456789'.length;
/** How far into a large answer its tags may lie: past SSE and JSON-RPC framing. */
const EDGE_BYTES = 512;

const tagOf = (call: number): string => `call-${call}`;

function padding(bytes: number): string {
  return 'x'.repeat(bytes - TAG_LENGTH - 1);
}

function around(workload: Workload): readonly [before: string, after: string] {
  switch (workload.tool) {
    case 'echo':
      return ['{"text":"', ` ${padding(workload.bytes)}"}`];
    case 'blob':
      return [`{"bytes":${workload.bytes},"tag":"`, '"}'];
    case 'sleep':
      return [`{"ms":${workload.ms},"tag":"`, '"}'];
  }
}

/** Makes the arguments of a call as JSON, carrying the call's number; all of them are equally long. */
export function argumentsOf(workload: Workload): (call: number) => string {
  const [before, after] = around(workload);
  return (call) => before + tagOf(call) + after;
}

/** The text that call must bring back. */
export function expectedText(workload: Workload, call: number): string {
  switch (workload.tool) {
    case 'echo':
      return `${tagOf(call)} ${padding(workload.bytes)}`;
    case 'blob':
      return `${tagOf(call)} ${blobLine(workload.bytes)} ${tagOf(call)}`;
    case 'sleep':
      return `slept ${tagOf(call)}`;
  }
}

function edge(pieces: readonly Buffer[], fromEnd: boolean): string {
  let text = '';
  for (let i = 0; i < pieces.length && text.length < EDGE_BYTES; i++) {
    const piece = fromEnd ? pieces[pieces.length - 1 - i] : pieces[i];
    if (piece === undefined) break;
    if (fromEnd) text = piece.toString('latin1', Math.max(0, piece.length - EDGE_BYTES)) + text;
    else text += piece.toString('latin1', 0, Math.min(EDGE_BYTES, piece.length));
  }
  return text;
}

/**
 * The cheap check of every answer under load: it is this call's own. A large one must carry the tag at
 * both ends and be long enough; its inside is compared once, by `verify`.
 */
export function isAnswerOf(workload: Workload, call: number, pieces: readonly Buffer[], length: number): boolean {
  const tag = tagOf(call);
  if (workload.tool !== 'blob') {
    const [first] = pieces;
    if (first === undefined) return false;
    const text =
      pieces.length === 1 ? first.toString('latin1', 0, first.length) : Buffer.concat(pieces).toString('latin1');
    return text.includes(tag);
  }
  return length >= workload.bytes && edge(pieces, false).includes(tag) && edge(pieces, true).includes(tag);
}
