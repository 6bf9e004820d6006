import type { ToolPolicy } from '#core/call.ts';
import type { NumberSetting } from '#core/config/number-setting.ts';
import type { Problems } from '#core/config/problems.ts';

/** Ranges of a tool's numbers. */
export const TOOL_NUMBERS = {
  deadlineMs: {
    default: 30_000,
    least: 1,
    most: 3_600_000,
    whole: true,
    help: "Default and maximum of a call's deadline.",
  },
  cacheTtlMs: {
    default: 0,
    least: 0,
    most: 86_400_000,
    whole: true,
    help: 'How long an answer may be reused; 0 never. For effect read only.',
  },
  ratePerMinute: {
    default: 0,
    least: 0,
    most: 1_000_000,
    whole: true,
    help: 'Calls a minute that one caller may make of this tool; 0 as many as its own quota allows.',
  },
} as const satisfies Record<string, NumberSetting>;

/** What an operator may say about a tool; all of it optional. */
export interface PartialToolPolicy {
  readonly effect?: ToolPolicy['effect'] | undefined;
  readonly deadlineMs?: number | undefined;
  readonly cacheTtlMs?: number | undefined;
  readonly idempotencyKey?: ToolPolicy['idempotencyKey'] | undefined;
  readonly vendorKey?: boolean | undefined;
  readonly reconcile?: boolean | undefined;
  readonly ratePerMinute?: number | undefined;
}

/** A tool's settings with what was not said filled in: the strictest effect, no cache. */
export function fullToolPolicy(said: PartialToolPolicy = {}): ToolPolicy {
  return {
    effect: said.effect ?? 'write',
    deadlineMs: said.deadlineMs ?? TOOL_NUMBERS.deadlineMs.default,
    cacheTtlMs: said.cacheTtlMs ?? TOOL_NUMBERS.cacheTtlMs.default,
    idempotencyKey: said.idempotencyKey ?? 'optional',
    vendorKey: said.vendorKey ?? false,
    reconcile: said.reconcile ?? false,
    ratePerMinute: said.ratePerMinute ?? TOOL_NUMBERS.ratePerMinute.default,
  };
}

/** The policies of a bridge: by name, and under `*` for the tools it does not name (they inherit nothing else). */
export function compileTools(
  said: Readonly<Record<string, PartialToolPolicy>>,
  where: string,
  problems: Problems,
): { readonly tools: Readonly<Record<string, ToolPolicy>>; readonly otherTools: ToolPolicy } {
  const tools: Record<string, ToolPolicy> = Object.create(null);
  for (const [name, partial] of Object.entries(said)) {
    const policy = fullToolPolicy(partial);
    if (policy.cacheTtlMs > 0 && policy.effect !== 'read') {
      problems.add(`${where}.${name}.cacheTtlMs`, 'only a tool with effect read may be cached; set 0 or the effect');
    }
    if (policy.vendorKey && policy.idempotencyKey === 'never') {
      problems.add(`${where}.${name}.vendorKey`, 'hands a key down that idempotencyKey never ignores; correct one');
    }
    if (policy.reconcile && policy.idempotencyKey === 'never') {
      problems.add(`${where}.${name}.reconcile`, 'asks about keys that idempotencyKey never ignores; correct one');
    }
    if (name !== '*') tools[name] = policy;
  }
  return { tools, otherTools: fullToolPolicy(said['*']) };
}
