import type { Effect } from '#core/call.ts';
import { inputSchema, type ObjectSchema, outputSchema, type z } from '#core/server-kit/schema.ts';
import { RECONCILE_META, type ToolContext } from '#core/server-kit/tool-context.ts';
import { ToolError } from '#core/server-kit/tool-error.ts';

/** What became of an earlier call, as far as the vendor can tell. */
export type Reconciliation<T> =
  /** It happened: what it would have answered. */
  | { readonly found: 'executed'; readonly result: T }
  /** It certainly did not, and will not any more. */
  | { readonly found: 'not_executed' }
  /** Nobody can say; `looked` tells where was looked, for the caller. */
  | { readonly found: 'unknown'; readonly looked: string };

/** One tool as its author writes it. */
export interface ToolSpec<I extends z.ZodObject, O extends z.ZodObject> {
  /** `[A-Za-z0-9_.-]{1,128}` */
  readonly name: string;
  readonly title: string;
  /** For a model and for a developer: what it does, what it needs, what it never does. */
  readonly description: string;
  readonly input: I;
  readonly output: O;
  /** Annotations follow from it: `read` is read-only, `read` and `idempotent` are idempotent. */
  readonly effect: Effect;
  /** Whether it may remove or overwrite what is there. Default: a `write`. */
  readonly destructive?: boolean;
  /** Whether it reaches beyond the one system it is configured for. Default false. */
  readonly openWorld?: boolean;
  /**
   * Says what became of an earlier call with the same key (`context.idempotencyKey`, always set here) and the same
   * arguments, whose outcome nobody knows. It only looks, and is given where the vendor can be asked.
   * @throws ToolError when the vendor cannot be asked just now
   */
  reconcile?(args: z.output<I>, context: ToolContext): Promise<Reconciliation<z.input<O>>>;
  /** @throws ToolError when the tool says no */
  run(args: z.output<I>, context: ToolContext): Promise<z.input<O>>;
}

/** A tool as `tools/list` shows it. */
export interface ListedTool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: ObjectSchema;
  readonly outputSchema: ObjectSchema;
  readonly annotations: Readonly<Record<string, string | boolean>>;
  /** Says so where the tool can tell what became of an earlier call: a bridge asks no other. */
  readonly _meta?: Readonly<Record<string, boolean>>;
}

/** A tool as the server runs it. */
export interface DefinedTool {
  readonly name: string;
  readonly effect: Effect;
  /** Built once, when it is first asked for. */
  listed(): ListedTool;
  /** @throws ToolError `invalid_arguments`, `cannot_reconcile`, or what `reconcile` throws */
  reconcile(args: unknown, context: ToolContext): Promise<Reconciliation<Readonly<Record<string, unknown>>>>;
  /** @throws ToolError `invalid_arguments`, or what `run` throws */
  call(args: unknown, context: ToolContext): Promise<Readonly<Record<string, unknown>>>;
}

const MAX_LISTED_PROBLEMS = 20;

function invalidArguments(issues: readonly z.core.$ZodIssue[]): ToolError {
  const errors = issues.slice(0, MAX_LISTED_PROBLEMS).map(({ path, message }) => ({
    pointer: path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
    message,
  }));
  const text = errors.map(({ pointer, message }) => (pointer === '' ? message : `${pointer}: ${message}`)).join('; ');
  return new ToolError('invalid_arguments', text, {
    hint: 'Compare the arguments with the inputSchema of the tool',
    details: { errors },
  });
}

/** Makes a tool of its parts. Unknown members of the input are refused. */
export function defineTool<I extends z.ZodObject, O extends z.ZodObject>(spec: ToolSpec<I, O>): DefinedTool {
  const { name, title, description, effect } = spec;
  const input = spec.input.strict();
  const parse = (args: unknown): z.output<I> => {
    const parsed = input.safeParse(args);
    if (!parsed.success) throw invalidArguments(parsed.error.issues);
    return parsed.data as z.output<I>;
  };
  let listed: ListedTool | undefined;
  return {
    name,
    effect,
    listed: () => {
      listed ??= {
        name,
        title,
        description,
        inputSchema: inputSchema(spec.input),
        outputSchema: outputSchema(spec.output),
        annotations: {
          title,
          readOnlyHint: effect === 'read',
          idempotentHint: effect !== 'write',
          destructiveHint: spec.destructive ?? effect === 'write',
          openWorldHint: spec.openWorld ?? false,
        },
        ...(spec.reconcile === undefined ? {} : { _meta: { [RECONCILE_META]: true } }),
      };
      return listed;
    },
    call: async (args, context) => spec.run(parse(args), context),
    reconcile: async (args, context) => {
      if (spec.reconcile === undefined || context.idempotencyKey === undefined) {
        throw new ToolError('cannot_reconcile', 'this tool cannot tell what became of an earlier call');
      }
      return spec.reconcile(parse(args), context);
    },
  };
}
