import type { ToolAddress } from './address.ts';

/** The head of a call that is written as plainly as a head can be, none of whose headers comes twice. */
export interface PlainHead {
  readonly target: string;
  /** The names in the target. */
  readonly address: ToolAddress;
  /** Name in lower case, value, name, value … */
  readonly headers: readonly string[];
  readonly bodyLength: number;
  /** In bytes, with the blank line behind it. */
  readonly length: number;
}

/** Beyond this a head is left to node:http, which says what is wrong with it. */
const MAX_HEAD_BYTES = 8_192;
const BLANK_LINE = '\r\n\r\n';
/**
 * The request line of a tool's plainly written address, and header lines of which every reader of HTTP makes the same:
 * no fold, no bare CR or LF, no space before a colon, nothing beyond ASCII, no escape and no query in the path.
 */
const HEAD =
  /^POST (\/(?:([a-z0-9-]{1,63})\/)?mcp\/tools\/([A-Za-z0-9_.-]{1,128})) HTTP\/1\.1\r\n(?:[A-Za-z0-9-]+:[\t\x20-\x7e]*\r\n)+$/;
const LENGTH = /^(?:0|[1-9][0-9]{0,8})$/;

/**
 * Reads the head of a request, where it is there as a whole and as plain as nearly all are; undefined for every other,
 * which is for a full parser of HTTP to read: whatever bears on framing or on the connection, and whatever is unusual.
 */
export function readPlainHead(bytes: Buffer): PlainHead | undefined {
  const end = bytes.indexOf(BLANK_LINE, 0, 'latin1');
  if (end === -1 || end > MAX_HEAD_BYTES) return undefined;
  const text = bytes.toString('latin1', 0, end + 2);
  const match = HEAD.exec(text);
  if (match === null) return undefined;
  const target = match[1] as string;
  const address = { bridge: match[2], tool: match[3] as string };
  const headers: string[] = [];
  let bodyLength = 0;
  // Behind `POST `, the target, and ` HTTP/1.1\r\n`.
  for (let start = target.length + 16; start < text.length; ) {
    const colon = text.indexOf(':', start);
    const lineEnd = text.indexOf('\r\n', colon);
    const name = text.slice(start, colon).toLowerCase();
    const value = text.slice(colon + 1, lineEnd).trim();
    for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return undefined;
    if (name === 'content-length') {
      if (!LENGTH.test(value)) return undefined;
      bodyLength = Number(value);
    } else if (!isOrdinary(name, value)) return undefined;
    headers.push(name, value);
    start = lineEnd + 2;
  }
  return { target, address, headers, bodyLength, length: end + BLANK_LINE.length };
}

/** Whether a header neither frames the request nor asks anything of the connection. */
function isOrdinary(name: string, value: string): boolean {
  switch (name) {
    case 'transfer-encoding':
    case 'expect':
    case 'upgrade':
    case 'te':
    case 'trailer':
    case 'keep-alive':
    case 'proxy-connection':
      return false;
    case 'connection':
      return value.toLowerCase() === 'keep-alive';
    default:
      return true;
  }
}
