import type { ToolPolicy } from '#core/call.ts';
import type { ArgumentError } from '#core/errors.ts';

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

/** A tool that may be called: its definition, the operator's policy, its compiled validator. */
export interface Tool {
  readonly name: string;
  readonly definition: ToolDefinition;
  readonly policy: ToolPolicy;
  /** Why its input schema cannot be used; calls are refused with `schema_rejected`. */
  readonly rejected: string | undefined;
  /** What is wrong with the arguments, at most 20; undefined when they fit. @throws BridgeError schema_rejected when it took too long */
  validate(args: Readonly<Record<string, unknown>>): readonly ArgumentError[] | undefined;
}

/** The tools of one bridge at one moment; immutable, replaced as a whole when the child's list changes. */
export interface Catalog {
  readonly tools: readonly Tool[];
  get(name: string): Tool | undefined;
  /** Up to three near names, for `suggestions`. */
  near(name: string): readonly string[];
}
