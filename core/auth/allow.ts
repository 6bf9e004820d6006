/** Longest pattern: the longest bridge, a colon, the longest tool, and room for stars. */
const MAX_PATTERN_LENGTH = 256;
const PATTERN = /^[a-z0-9*-]+:[A-Za-z0-9_.*-]+$/;

/** Whether a text is a pattern `bridge:tool` with `*`, which stands for any characters, anywhere in either part. */
export function isPattern(text: string): boolean {
  return text.length <= MAX_PATTERN_LENGTH && PATTERN.test(text);
}

/**
 * What a principal may call: any tool that one of its patterns fits. Compiled once; a question takes time linear in the
 * name for each pattern of its bridge, whatever the pattern, since a star never has to be tried a second time.
 */
export class Allow {
  /** The tools by the bridges that are named in full; most patterns are of this kind. */
  readonly #byBridge = new Map<string, Glob[]>();
  readonly #others: { readonly bridge: Glob; readonly tool: Glob }[] = [];

  /** @param patterns what is none (see {@link isPattern}) allows nothing */
  constructor(patterns: Iterable<string>) {
    for (const pattern of patterns) {
      if (!isPattern(pattern)) continue;
      const colon = pattern.indexOf(':');
      const bridge = pattern.slice(0, colon);
      const tool = globOf(pattern.slice(colon + 1));
      if (bridge.includes('*')) this.#others.push({ bridge: globOf(bridge), tool });
      else {
        const tools = this.#byBridge.get(bridge);
        if (tools === undefined) this.#byBridge.set(bridge, [tool]);
        else tools.push(tool);
      }
    }
  }

  /** Whether this tool may be called. */
  mayCall(bridge: string, tool: string): boolean {
    const tools = this.#byBridge.get(bridge);
    if (tools !== undefined) {
      for (const glob of tools) if (fits(glob, tool)) return true;
    }
    for (const rule of this.#others) if (fits(rule.bridge, bridge) && fits(rule.tool, tool)) return true;
    return false;
  }

  /** Whether any tool of this bridge might be. */
  mayUse(bridge: string): boolean {
    return this.#byBridge.has(bridge) || this.#others.some((rule) => fits(rule.bridge, bridge));
  }
}

/** A text with stars, split at them. */
interface Glob {
  readonly head: string;
  /** What has to come between, in this order. */
  readonly middle: readonly string[];
  /** What has to end it; undefined without a star: `head` is all. */
  readonly tail: string | undefined;
}

function globOf(text: string): Glob {
  const [head = '', ...rest] = text.split('*');
  const tail = rest.pop();
  return { head, middle: rest.filter((piece) => piece !== ''), tail };
}

function fits({ head, middle, tail }: Glob, text: string): boolean {
  if (tail === undefined) return text === head;
  const end = text.length - tail.length;
  if (end < head.length || !text.startsWith(head) || !text.endsWith(tail)) return false;
  let at = head.length;
  for (const piece of middle) {
    // The first place is always a good one: it leaves the most for what follows.
    const found = text.indexOf(piece, at);
    if (found === -1 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
