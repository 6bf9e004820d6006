import { type RequestEnd, sourceOf } from '#core/request-end.ts';

/**
 * The line of a call that has its answer, `{"level":"info","time","msg":"call",…}`: made by hand, since it is the one line that
 * every call pays for. What a caller chose of it is short and was checked where it came in; the rest is ours.
 */
export function accessLine(end: RequestEnd, time: string): string {
  const { bridge, tool, traceId, principal, status, code, executed, report } = end;
  const source = sourceOf(end);
  let line = `{"level":"info","time":"${time}","msg":"call","requestId":"${end.requestId}"`;
  if (traceId !== undefined) line += `,"traceId":"${traceId}"`;
  if (bridge !== undefined) line += `,"bridge":"${bridge}"`;
  if (tool !== undefined) line += `,"tool":"${tool}"`;
  if (principal !== undefined) line += `,"principal":${quoted(principal)}`;
  // As nginx tells of a client that left first.
  line += status === undefined ? ',"status":499,"code":"client_gone"' : `,"status":${status}`;
  if (status !== undefined && code !== undefined) line += `,"code":"${code}"`;
  else if (end.toolFailed) line += ',"code":"tool_error"';
  if (executed !== undefined) line += `,"executed":"${executed}"`;
  line += `,"durationMs":${(end.endedAtMs - end.arrivedAtMs).toFixed(3)}`;
  if (report !== undefined) line += `,"attempts":${report.attempts}`;
  if (source !== undefined) line += `,"source":"${source}"`;
  return `${line}}\n`;
}

let lastText = '';
let lastQuoted = '""';

/** A text as JSON; nearly every call has the principal of the one before. */
function quoted(text: string): string {
  if (text !== lastText) {
    lastText = text;
    lastQuoted = JSON.stringify(text);
  }
  return lastQuoted;
}
