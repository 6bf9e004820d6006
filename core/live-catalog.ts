import type { ToolPolicy } from '#core/call.ts';
import { type CancelSignal, unlessAborted } from '#core/cancellation.ts';
import { BridgeError } from '#core/errors.ts';
import { type Catalog, createCatalog, type ToolDefinition } from '#core/mcp/catalog.ts';
import { type Pins, pinOf, readPins, type UnreadablePins } from '#core/mcp/pins.ts';

/** A tool that is not as it was approved. */
export interface ChangedTool {
  readonly tool: string;
  /** Undefined where the pins could not be read. */
  readonly pinned: string | undefined;
  readonly now: string;
}

/** What a new list of tools looks like, for the log. */
export interface ToolsListed {
  readonly tools: number;
  /** Names of tools whose input schema cannot be used: calls are refused. */
  readonly rejected: readonly string[];
  /** Tools that differ from their pins, each with both digests: calls are refused. */
  readonly changed: readonly ChangedTool[];
  /** Tools that are not exposed at all, each with the reason. */
  readonly leftOut: readonly string[];
  /** Why the pin file approves of nothing; undefined where it could be read or there is none. */
  readonly pinsUnreadable: string | undefined;
}

export interface LiveCatalogOptions {
  readonly policyFor: (tool: string) => ToolPolicy;
  readonly pinFile: string | undefined;
  readonly onListed: (listed: ToolsListed) => void;
}

/** The tools of a bridge as its workers list them, held against the pins; the last complete one stays until the next is. */
export class LiveCatalog {
  readonly #options: LiveCatalogOptions;
  #current: Catalog | undefined;
  /** What was listed last. */
  #definitions: readonly ToolDefinition[] | undefined;
  #stale = false;
  #updating: Promise<void> | undefined;

  constructor(options: LiveCatalogOptions) {
    this.#options = options;
  }

  /** Undefined until a worker has listed its tools. */
  get current(): Catalog | undefined {
    return this.#current;
  }

  /** Settles when nothing is being read. */
  get settled(): Promise<void> {
    return this.#updating ?? Promise.resolve();
  }

  /** A worker listed these. Updates follow one another, so that the list told last is the one that stays. */
  list(definitions: readonly ToolDefinition[]): void {
    this.#definitions = definitions;
    this.#stale = true;
    this.#updating ??= this.#update();
  }

  /** Reads the pins again. */
  async reload(): Promise<void> {
    if (this.#definitions !== undefined) this.list(this.#definitions);
    await this.settled;
  }

  /** The first catalog, which a ready worker has listed. @throws the signal's reason; BridgeError internal */
  async first(signal: CancelSignal): Promise<Catalog> {
    await unlessAborted(this.settled, signal);
    if (this.#current === undefined) throw new BridgeError('internal', 'a worker is ready but its tools are not known');
    return this.#current;
  }

  async #update(): Promise<void> {
    const { policyFor, pinFile, onListed } = this.#options;
    while (this.#stale) {
      this.#stale = false;
      const pins = pinFile === undefined ? undefined : await readPins(pinFile);
      const catalog = await createCatalog(this.#definitions ?? [], policyFor, this.#current, pins);
      if (catalog === this.#current) continue;
      this.#current = catalog;
      onListed(describe(catalog, pins));
    }
    this.#updating = undefined;
  }
}

function describe({ tools, leftOut }: Catalog, pins: Pins | UnreadablePins | undefined): ToolsListed {
  const pinsUnreadable = pins !== undefined && 'unreadable' in pins ? pins.unreadable : undefined;
  const approved = pins instanceof Map ? pins : undefined;
  return {
    tools: tools.length,
    rejected: tools.filter((tool) => tool.rejected !== undefined).map((tool) => tool.name),
    changed: tools
      .filter((tool) => tool.changed)
      .map(({ name, sha256 }) => ({ tool: name, pinned: approved?.get(name), now: pinOf(sha256) })),
    leftOut,
    pinsUnreadable,
  };
}
