import pg from 'pg';

/** Turns the server's text form of one value into JSON. */
export type Parser = (text: string) => unknown;

const asText: Parser = (text) => text;

function float(text: string): number | string {
  const value = Number(text);
  return Number.isFinite(value) ? value : text; // NaN and Infinity are no JSON numbers
}

/** `2027-05-08 14:00:00+02` as `2027-05-08T14:00:00+02:00`; what is no such text (`infinity`, BC) stays as it is. */
function timestamp(text: string): string {
  const parts = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(?:([+-]\d\d)(:\d\d(?::\d\d)?)?)?$/.exec(text);
  if (parts === null) return text;
  const [, date, time, hours, minutes] = parts;
  if (hours === undefined) return `${date}T${time}`;
  return hours === '+00' && minutes === undefined ? `${date}T${time}Z` : `${date}T${time}${hours}${minutes ?? ':00'}`;
}

function bytea(text: string): string {
  return text.startsWith('\\x') ? Buffer.from(text.slice(2), 'hex').toString('base64') : text;
}

/** The parts of ES2025's source text access that the standard types do not know yet. */
interface SourceContext {
  readonly source?: string;
}
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

/** JSON that nests deeper stays text: writing it down again would overflow the stack. PostgreSQL takes some 6000. */
const MAX_JSON_DEPTH = 500;

function isDeep(text: string): boolean {
  if (text.length <= 2 * MAX_JSON_DEPTH) return false;
  let depth = 0;
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[[{\]}]/g)) {
    if (token === '[' || token === '{') depth += 1;
    else if (token === ']' || token === '}') depth -= 1;
    if (depth > MAX_JSON_DEPTH) return true;
  }
  return false;
}

/** JSON whose numbers keep every digit: one that a double would round is passed on as it was written. */
function json(text: string): unknown {
  if (isDeep(text)) return text;
  if (!/\d{16}|[eE]/.test(text)) return JSON.parse(text);
  const keepDigits = (_key: string, value: unknown, context?: SourceContext): unknown =>
    typeof value === 'number' && context?.source !== undefined && String(value) !== context.source
      ? rawJson(context.source)
      : value;
  return JSON.parse(text, keepDigits as (this: unknown, key: string, value: unknown) => unknown);
}

const SCALARS: Readonly<Record<number, Parser>> = {
  16: (text) => text === 't', // boolean
  17: bytea,
  21: Number, // smallint
  23: Number, // integer
  26: Number, // oid
  700: float,
  701: float,
  114: json,
  3802: json, // jsonb
  1114: timestamp,
  1184: timestamp,
};

/** Array types whose elements need no more than the parser of their element, by OID. */
const ARRAYS: Readonly<Record<number, number>> = {
  1000: 16, // boolean
  1001: 17, // bytea
  1003: 19, // name
  1005: 21,
  1007: 23,
  1009: 25, // text
  1014: 1042, // character
  1015: 1043, // character varying
  1016: 20, // bigint
  1021: 700,
  1022: 701,
  1028: 26,
  1041: 869, // inet
  1115: 1114,
  1182: 1082, // date
  1183: 1083, // time
  1185: 1184,
  1187: 1186, // interval
  1231: 1700, // numeric
  199: 114,
  2951: 2950, // uuid
  3807: 3802,
};

const arrays = pg.types.arrayParser as unknown as {
  create(source: string, transform: (text: string) => unknown): { parse(): unknown[] };
};

function parserOf(oid: number): Parser {
  const scalar = SCALARS[oid];
  if (scalar !== undefined) return scalar;
  const element = ARRAYS[oid];
  if (element === undefined) return asText; // bigint, numeric, date, uuid, enums and whatever else
  const parse = SCALARS[element] ?? asText;
  return (text) => arrays.create(text, parse).parse();
}

/**
 * How values become JSON: bigint and numeric stay text, as does every type not named here; dates and times are
 * ISO 8601; bytea is base64; json is JSON; arrays are arrays.
 */
export const valueTypes = {
  getTypeParser: (oid: number): Parser => parserOf(oid),
};
