import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ToolPolicy } from '#core/call.ts';
import { type ArgumentError, BridgeError } from '#core/errors.ts';
import { definitionSha256 } from '#core/mcp/definition-digest.ts';
import { type Pins, pinOf, type UnreadablePins } from '#core/mcp/pins.ts';
import { CompiledSchema } from '#core/mcp/schema.ts';
import { SchemaRejectedError } from '#core/mcp/schema-shape.ts';
import { nearNames } from '#core/near-names.ts';

/** A tool as the child lists it: unknown members kept. */
export interface ToolDefinition {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
  readonly outputSchema?: Readonly<Record<string, unknown>>;
  readonly annotations?: Readonly<Record<string, unknown>>;
  readonly [member: string]: unknown;
}

/** What is wrong with arguments, undefined when they fit. */
export type Verdict = readonly ArgumentError[] | undefined;

/** A tool that may be called: its definition, the operator's policy, its compiled validator. */
export interface Tool {
  readonly name: string;
  readonly definition: ToolDefinition;
  readonly policy: ToolPolicy;
  /** SHA-256 (hex) of what callers rely on in its definition; see `definitionSha256`. */
  readonly sha256: string;
  /** Its server says (in `_meta`) that it can tell what became of an earlier call, and will only look when asked to. */
  readonly reconciles: boolean;
  /** Its definition is not the one that was pinned: calls are refused with `tool_definition_changed`. */
  readonly changed: boolean;
  /** Why its input schema cannot be used; calls are refused with `schema_rejected`. */
  readonly rejected: string | undefined;
  /**
   * What is wrong with the arguments, at most 20; undefined when they fit. A promise only where checking may take
   * long: it runs beside the event loop then.
   * @throws BridgeError schema_rejected (a rejection, too) when the schema is, when checking took too long, or where
   * there is no thread for it
   */
  validate(args: Readonly<Record<string, unknown>>): Verdict | Promise<Verdict>;
}

/** The tools of one bridge at one moment; immutable, replaced as a whole when the child's list changes. */
export interface Catalog {
  /** By name, so that all replicas list them alike. */
  readonly tools: readonly Tool[];
  /** Listed by the child and not taken over: one line each, name and reason. */
  readonly leftOut: readonly string[];
  get(name: string): Tool | undefined;
  /** Up to three near names of those that may be shown (default all), for `suggestions`. */
  near(name: string, isShown?: (tool: string) => boolean): readonly string[];
}

/** The names MCP recommends; others could not be addressed safely in a path. */
const TOOL_NAME = /^[A-Za-z0-9_.-]{1,128}$/;

/** Tools of one bridge. Each costs about 50 kB for its compiled schema and some ms to compile it; no model wants more. */
const MAX_TOOLS = 1_000;

/** Schemas are compiled for so long at a time; calls in flight go on in between. */
const COMPILE_SLICE_MS = 5;

/**
 * Makes a catalog of what a child lists. What did not change since `previous` is taken from there, compiled
 * validators included; when nothing changed, `previous` itself is returned. Never rejects: a tool that cannot be
 * addressed is left out, so are those beyond the first 1000, and one whose schema cannot be used is `rejected`. With
 * pins a tool without one is left out and one that differs from its pin is `changed`; unreadable pins change them all.
 */
export async function createCatalog(
  definitions: readonly ToolDefinition[],
  policyFor: (name: string) => ToolPolicy,
  previous?: Catalog,
  pins?: Pins | UnreadablePins,
): Promise<Catalog> {
  const tools = new Map<string, ListedTool>();
  const leftOut: string[] = [];
  let sliceEndsAtMs = performance.now() + COMPILE_SLICE_MS;
  for (const [n, definition] of definitions.entries()) {
    if (tools.size === MAX_TOOLS) {
      leftOut.push(`${definitions.length - n} more: a bridge has at most ${MAX_TOOLS} tools`);
      break;
    }
    if (performance.now() > sliceEndsAtMs) {
      await nextTurn();
      sliceEndsAtMs = performance.now() + COMPILE_SLICE_MS;
    }
    const reason = whyNot(definition, tools);
    if (reason !== undefined) {
      leftOut.push(`${shown(definition?.name)}: ${reason}`);
      continue;
    }
    const changed = pins !== undefined && !isApproved(definition, pins);
    if (changed && !('unreadable' in pins) && !pins.has(definition.name)) {
      leftOut.push(`${shown(definition.name)}: it is not pinned`);
      continue;
    }
    const known = previous?.get(definition.name);
    tools.set(definition.name, await listed(definition, policyFor(definition.name), changed, known));
  }
  const sorted = [...tools.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const unchanged =
    previous !== undefined &&
    sorted.length === previous.tools.length &&
    sorted.every((tool, n) => tool === previous.tools[n]) &&
    leftOut.join('\n') === previous.leftOut.join('\n');
  return unchanged ? previous : new ListedCatalog(sorted, leftOut);
}

function whyNot(
  definition: ToolDefinition | null | undefined,
  taken: ReadonlyMap<string, unknown>,
): string | undefined {
  if (typeof definition?.name !== 'string') return 'it has no name';
  if (!TOOL_NAME.test(definition.name)) return 'its name is not 1 to 128 of A-Z a-z 0-9 _ . -';
  if (taken.has(definition.name)) return 'an earlier tool has the same name';
  // It could not be listed either.
  if (!sameJson(definition, definition)) return 'it is nested too deep';
  return undefined;
}

/** A child's name for something, safe to be logged. */
function shown(name: unknown): string {
  return JSON.stringify(String(name).slice(0, 64)).replace(/[^\x20-\x7e]/g, '?');
}

async function listed(
  definition: ToolDefinition,
  policy: ToolPolicy,
  changed: boolean,
  known: Tool | undefined,
): Promise<ListedTool> {
  if (known instanceof ListedTool) {
    const same = known.policy === policy && known.changed === changed;
    if (same && sameJson(known.definition, definition)) return known;
    if (sameJson(known.definition.inputSchema, definition.inputSchema)) {
      return new ListedTool(definition, policy, changed, known.schema);
    }
  }
  return new ListedTool(definition, policy, changed, await compiled(definition.inputSchema));
}

function isApproved(definition: ToolDefinition, pins: Pins | UnreadablePins): boolean {
  return !('unreadable' in pins) && pins.get(definition.name) === pinOf(definitionSha256(definition));
}

async function compiled(inputSchema: unknown): Promise<CompiledSchema | SchemaRejectedError> {
  try {
    return await CompiledSchema.load(inputSchema);
  } catch (error) {
    if (error instanceof SchemaRejectedError) return error;
    return new SchemaRejectedError('it cannot be used', { cause: error });
  }
}

function saysItReconciles({ _meta }: ToolDefinition): boolean {
  if (typeof _meta !== 'object' || _meta === null) return false;
  return (_meta as Readonly<Record<string, unknown>>)['mcp-bridge-fleet/reconcile'] === true;
}

function sameJson(a: unknown, b: unknown): boolean {
  try {
    return JSON.stringify(a) === JSON.stringify(b);
  } catch {
    return false; // nested too deep to be written down
  }
}

class ListedTool implements Tool {
  readonly name: string;
  readonly definition: ToolDefinition;
  readonly policy: ToolPolicy;
  readonly reconciles: boolean;
  readonly changed: boolean;
  readonly rejected: string | undefined;
  readonly schema: CompiledSchema | SchemaRejectedError;
  #sha256: string | undefined;

  constructor(
    definition: ToolDefinition,
    policy: ToolPolicy,
    changed: boolean,
    schema: CompiledSchema | SchemaRejectedError,
  ) {
    this.name = definition.name;
    this.definition = definition;
    this.policy = policy;
    this.reconciles = saysItReconciles(definition);
    this.changed = changed;
    this.schema = schema;
    this.rejected = schema instanceof SchemaRejectedError ? schema.message : undefined;
  }

  get sha256(): string {
    this.#sha256 ??= definitionSha256(this.definition);
    return this.#sha256;
  }

  validate(args: Readonly<Record<string, unknown>>): Verdict | Promise<Verdict> {
    if (this.schema instanceof CompiledSchema) return this.schema.errors(args);
    throw new BridgeError('schema_rejected', `the tool's input schema is not used: ${this.rejected}`);
  }
}

class ListedCatalog implements Catalog {
  readonly tools: readonly Tool[];
  readonly leftOut: readonly string[];
  readonly #byName: ReadonlyMap<string, Tool>;

  constructor(tools: readonly Tool[], leftOut: readonly string[]) {
    this.tools = tools;
    this.leftOut = leftOut;
    this.#byName = new Map(tools.map((tool) => [tool.name, tool]));
  }

  get(name: string): Tool | undefined {
    return this.#byName.get(name);
  }

  near(name: string, isShown: (tool: string) => boolean = () => true): readonly string[] {
    return nearNames(name, [...this.#byName.keys()].filter(isShown));
  }
}
