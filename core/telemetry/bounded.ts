/** Longest text kept of one value, in characters. */
const maxTextLength = 4096;
/** Most members of one object and elements of one list. */
const maxMembers = 100;
const maxDepth = 6;
/** Bytes of JSON that the message and the fields of one line may take, so that a line stays within 16 KiB. */
const maxMessageBytes = 4 * 1024;
const maxFieldBytes = 11 * 1024;
/** The longest number in JSON, and what surrounds a value: braces, colon, comma. */
const numberBytes = 24;
const separatorBytes = 4;
/** The members of a line that no field may be named like: a second one would make the line ambiguous. */
const reserved: readonly string[] = ['level', 'time', 'msg'];

/** C1 controls, line separators and writing-direction marks: legal in JSON, not harmless on a terminal. */
const unprintable = /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** A JSON text in which every control character is escaped; it stays the same JSON. */
export function escapeUnprintable(json: string): string {
  return json.replace(unprintable, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** What one line may still hold. */
interface Budget {
  bytes: number;
}

/**
 * A copy of a line's fields that is plain data, small and without secrets: texts are redacted and then cut, errors become
 * objects, and what does not fit in 11 KiB of JSON is left out. Never throws, also for getters that do.
 */
export function boundedFields(
  fields: Readonly<Record<string, unknown>>,
  redact: (text: string) => string,
): Record<string, unknown> {
  const budget = { bytes: maxFieldBytes };
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(boundedMembers(fields, redact, budget, 0))) {
    copy[reserved.includes(key) ? `${key}_` : key] = value;
  }
  return copy;
}

/** A line's message: without secrets, and cut where it takes more than 4 KiB of JSON. */
export function boundedMessage(message: string, redact: (text: string) => string): string {
  return boundedText(message, redact, { bytes: maxMessageBytes });
}

/** A text without secrets that fits the line; what was cut off is said in its place. */
function boundedText(text: string, redact: (text: string) => string, budget: Budget): string {
  const shown = redact(text);
  return fitting(shown.length <= maxTextLength ? shown : cut(shown, maxTextLength), budget);
}

function bounded(value: unknown, redact: (text: string) => string, budget: Budget, depth: number): unknown {
  budget.bytes -= separatorBytes;
  switch (typeof value) {
    case 'string':
      return boundedText(value, redact, budget);
    case 'number':
    case 'boolean':
      budget.bytes -= numberBytes;
      return value;
    case 'bigint':
      return boundedText(String(value), redact, budget);
    case 'object':
      if (value === null) return null;
      if (depth >= maxDepth) return fitting('[nested too deep]', budget);
      if (value instanceof Error) return boundedMembers(errorMembers(value), redact, budget, depth);
      if (Array.isArray(value)) return boundedList(value, redact, budget, depth);
      if (value instanceof Date) return fitting(String(value.getTime()), budget);
      if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
      return boundedMembers(value as Readonly<Record<string, unknown>>, redact, budget, depth);
    default:
      return undefined;
  }
}

function boundedMembers(
  object: Readonly<Record<string, unknown>>,
  redact: (text: string) => string,
  budget: Budget,
  depth: number,
): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  let members = 0;
  for (const key of Object.keys(object)) {
    if (budget.bytes <= 0 || members === maxMembers) {
      copy.cut = true;
      break;
    }
    const name = fitting(redact(key).slice(0, 128), budget);
    const value = bounded(read(object, key), redact, budget, depth + 1);
    if (value === undefined) continue;
    Object.defineProperty(copy, name, { value, enumerable: true, configurable: true, writable: true });
    members += 1;
  }
  return copy;
}

function boundedList(
  list: readonly unknown[],
  redact: (text: string) => string,
  budget: Budget,
  depth: number,
): unknown[] {
  const copy: unknown[] = [];
  for (const element of list) {
    if (budget.bytes <= 0 || copy.length === maxMembers) {
      copy.push(`[${list.length - copy.length} more]`);
      break;
    }
    copy.push(bounded(element, redact, budget, depth + 1) ?? null);
  }
  return copy;
}

/** An error's own story; `cause` is followed as far as the depth allows. */
function errorMembers(error: Error): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  const code = 'code' in error ? error.code : undefined;
  return { name, message, code, stack, cause };
}

function read(object: Readonly<Record<string, unknown>>, key: string): unknown {
  try {
    return object[key];
  } catch {
    return '[unreadable]';
  }
}

/** The text, cut until its JSON fits what is left of the line; empty where nothing does. */
function fitting(text: string, budget: Budget): string {
  let shown = text;
  let bytes = jsonBytes(shown);
  // A character takes at most 6 bytes of JSON: the fourth round is down to an 16th of the text, or nothing fits.
  for (let share = 2; bytes > budget.bytes && share <= 16; share *= 2) {
    shown = cut(text, Math.floor(text.length / share));
    bytes = jsonBytes(shown);
  }
  if (bytes > budget.bytes) {
    budget.bytes = 0;
    return '';
  }
  budget.bytes -= bytes;
  return shown;
}

function jsonBytes(text: string): number {
  return Buffer.byteLength(escapeUnprintable(JSON.stringify(text)));
}

function cut(text: string, length: number): string {
  return `${text.slice(0, Math.max(0, length - 40))}… [${text.length} characters]`;
}
