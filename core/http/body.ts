import { isUtf8 } from 'node:buffer';
import { BridgeError } from '#core/errors.ts';
import { jsonCheck } from '#core/json/check.ts';
import { parseExactly } from './exact-number.ts';
import type { Exchange } from './exchange.ts';
import { hasForbiddenKey } from './forbidden-key.ts';

/** Objects and arrays inside each other. */
export const MAX_JSON_DEPTH = 64;
/** Values of any kind, so that parsing and checking them never holds the event loop for long. */
export const MAX_JSON_NODES = 20_000;
const checkJson = jsonCheck({ maxDepth: MAX_JSON_DEPTH, maxNodes: MAX_JSON_NODES });

/** A body of fewer bytes can break neither limit: each level takes two brackets. */
const SHORT = 2 * (MAX_JSON_DEPTH + 1);
const JSON_TYPE = /^application\/json[ \t]*(?:;[ \t]*charset[ \t]*=[ \t]*(?:utf-8|"utf-8")[ \t]*)?;?[ \t]*$/i;
/** Where rounding or overflow is possible at all: 16 digits in a row, or an exponent. */
const RISKY_NUMBER = /(?<![0-9])[0-9]{16}|[0-9][eE][+-]?[0-9]/;
/** JSON.stringify writes a surrogate as an escape only when its other half is missing. */
const LONE_SURROGATE = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;

/** The arguments of a call, read and checked. */
export interface Arguments {
  readonly value: Readonly<Record<string, unknown>>;
  /** What the child receives: `value` serialised anew, so that nothing hides in duplicate keys. */
  readonly json: string;
}

const NO_ARGUMENTS: Arguments = { value: Object.freeze({}), json: '{}' };

/**
 * Reads and checks the body of a call, at once where it is there. An empty body means `{}` and needs no Content-Type.
 * @throws BridgeError unsupported_media_type, body_too_large, invalid_json, invalid_body, json_too_deep,
 * json_too_large, forbidden_key, unsafe_number
 */
export function readArguments(exchange: Exchange, maxBytes: number): Arguments | Promise<Arguments> {
  const encoding = exchange.header('content-encoding');
  if (encoding !== undefined) {
    throw new BridgeError('unsupported_media_type', 'the body must come without Content-Encoding');
  }
  const declared = exchange.bodyLength();
  if (declared === 0) return NO_ARGUMENTS;
  if (declared !== undefined) checkType(exchange);
  else checkCoding(exchange);
  const read = (body: Buffer): Arguments => {
    if (body.length === 0) return NO_ARGUMENTS;
    if (declared === undefined) checkType(exchange);
    return parseArguments(body);
  };
  const body = exchange.readBody(maxBytes);
  return body instanceof Promise ? body.then(read) : read(body);
}

/**
 * Checks a body that was read and turns it into arguments.
 * @throws BridgeError invalid_json, invalid_body, json_too_deep, json_too_large, forbidden_key, unsafe_number
 */
export function parseArguments(body: Buffer): Arguments {
  if (!isUtf8(body)) throw new BridgeError('invalid_json', 'the body is not valid UTF-8');
  if (body.length >= SHORT) checkShape(body);
  const text = body.toString();
  const value = parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BridgeError('invalid_body', "the body must be a JSON object, the tool's arguments by name");
  }
  const json = JSON.stringify(value);
  if (json.includes('\\ud') && LONE_SURROGATE.test(json)) {
    throw new BridgeError('invalid_json', 'a string in the body holds half of a surrogate pair');
  }
  if (hasForbiddenKey(value, json)) {
    throw new BridgeError(
      'forbidden_key',
      'the body holds a key named __proto__, or constructor with prototype inside',
    );
  }
  return { value: value as Record<string, unknown>, json };
}

function parse(text: string): unknown {
  try {
    return RISKY_NUMBER.test(text) ? parseExactly(text) : JSON.parse(text);
  } catch (error) {
    if (error instanceof BridgeError) throw error;
    throw new BridgeError('invalid_json', 'the body is not valid JSON (RFC 8259), in UTF-8 without a byte order mark');
  }
}

/** The parser takes `gzip, chunked` and hands over what is still compressed; any other coding it refuses itself. */
function checkCoding(exchange: Exchange): void {
  const coding = exchange.header('transfer-encoding');
  if (coding === undefined || !coding.includes(',')) return;
  throw new BridgeError('unsupported_media_type', 'Transfer-Encoding may be chunked and nothing else');
}

function checkType(exchange: Exchange): void {
  const type = exchange.header('content-type');
  if (type === 'application/json' || (type !== undefined && JSON_TYPE.test(type))) return;
  throw new BridgeError('unsupported_media_type', 'send the body as "Content-Type: application/json", in UTF-8');
}

/** What is no JSON at all is left to the parser that follows. */
function checkShape(body: Buffer): void {
  const verdict = checkJson(body);
  if (verdict === 'too_deep') {
    throw new BridgeError('json_too_deep', `the body is nested deeper than ${MAX_JSON_DEPTH} levels`);
  }
  if (verdict === 'too_large') {
    throw new BridgeError('json_too_large', `the body holds more than ${MAX_JSON_NODES} values`);
  }
}
