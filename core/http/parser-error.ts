import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { BridgeError } from '#core/errors.ts';
import { MAX_PATH_BYTES } from './address.ts';
import { STATUS_CODES } from './node-http.ts';
import { problemAnswer, toProblem } from './problem.ts';

/** An error of node:http's parser or of its time-outs, as `clientError` hands it over. */
export interface ParserError extends Error {
  readonly code?: string;
  /** The chunk that it failed on. */
  readonly rawPacket?: Buffer;
}

/** What the parser's complaint means to the client. */
export function fromParserError(error: ParserError): BridgeError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return isLongPath(error.rawPacket)
        ? new BridgeError('uri_too_long', `the path is longer than ${MAX_PATH_BYTES} bytes`)
        : new BridgeError('headers_too_large', 'the request head is larger than 16384 bytes');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new BridgeError('request_timeout', 'the request did not arrive completely in time');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new BridgeError('body_too_large', 'the chunk extensions of the body are larger than 16384 bytes');
    default:
      return new BridgeError('bad_request', 'the request is not valid HTTP/1.1');
  }
}

/** A problem written to a socket that has no response object, with the connection's end. */
export function writeRawProblem(socket: Duplex, error: BridgeError): number {
  const { status, headers, body } = problemAnswer(toProblem(error, { requestId: randomUUID() }));
  headers.push('Connection', 'close', 'Date', new Date().toUTCString());
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`;
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`;
  socket.end(`${head}\r\n${body}`, 'latin1');
  return status;
}

/** Whether the head overflowed before its first line ended. */
function isLongPath(packet: Buffer | undefined): boolean {
  if (packet === undefined || packet.length <= MAX_PATH_BYTES) return false;
  const lineEnd = packet.indexOf('\n');
  return /^[A-Z]+ \//.test(packet.toString('latin1', 0, 16)) && (lineEnd === -1 || lineEnd > MAX_PATH_BYTES);
}
