import { readFile } from 'node:fs/promises';

/** The approved tools of a bridge: by name, the pin of the definition that was looked at. */
export type Pins = ReadonlyMap<string, string>;

/** No tool can be held against its pin: none of them is served. */
export interface UnreadablePins {
  /** Why, without the path. */
  readonly unreadable: string;
}

const PIN = /^sha256-[A-Za-z0-9+/]{43}=$/;

/** A definition's digest as a pin file has it, `sha256-` and base64, the way of Subresource Integrity. */
export function pinOf(sha256: string): string {
  return `sha256-${Buffer.from(sha256, 'hex').toString('base64')}`;
}

/** Reads a pin file, `{"tools": {"TOOL": "sha256-…"}}`. Never rejects: what cannot be read approves nothing. */
export async function readPins(path: string): Promise<Pins | UnreadablePins> {
  try {
    return parsePins(await readFile(path, 'utf8'));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return { unreadable: code ?? 'it is not JSON' };
  }
}

/** The pins in the text of a pin file. @throws SyntaxError when it is not JSON */
export function parsePins(text: string): Pins | UnreadablePins {
  const content: unknown = JSON.parse(text);
  const tools = isObject(content) ? content.tools : undefined;
  if (!isObject(tools)) return { unreadable: 'it has no member tools' };
  const pins = new Map<string, string>();
  for (const [name, pin] of Object.entries(tools)) {
    if (typeof pin !== 'string' || !PIN.test(pin)) {
      return {
        unreadable: `the pin of ${JSON.stringify(name.slice(0, 64))} is not sha256- and 44 characters of base64`,
      };
    }
    pins.set(name, pin);
  }
  return pins;
}

/** The text of a pin file, by name so that a change of a tool is a change of its line. */
export function pinFileText(pins: Pins): string {
  const tools = Object.fromEntries([...pins].sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify({ tools }, null, 2)}\n`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
