/** What a chaos run asks for, all of it from one seed: the same seed plans the same calls for ever. */
import { pick, random } from '../core/json/random-json.ts';

export const PRINCIPALS = ['planner', 'cook', 'band'] as const;
export type PrincipalId = (typeof PRINCIPALS)[number];

/** One principal, tool and key: what may be executed once. */
export interface Unit {
  /** Names it in the ledger. */
  readonly tag: string;
  readonly principal: PrincipalId;
  readonly tool: string;
  readonly key: string;
  /** Arguments to call it with: those that most callers send, and others. */
  readonly args: readonly [Arguments, Arguments];
}

type Arguments = Readonly<Record<string, unknown>>;

export interface PlannedCall {
  readonly index: number;
  readonly unit: Unit;
  /** Which of the unit's arguments. */
  readonly variant: 0 | 1;
  /** Which of the replicas. */
  readonly replica: number;
  /** Undefined: the tool's own deadline. */
  readonly timeoutMs: number | undefined;
  /** The client leaves after so long; undefined: it waits for its answer. */
  readonly leaveAfterMs: number | undefined;
  /** The caller rests so long before it. */
  readonly pauseMs: number;
}

export interface PlanOptions {
  readonly seed: number;
  readonly calls: number;
  readonly replicas: number;
  readonly maxPauseMs: number;
}

/** How a unit behaves when it is executed; `n` is 0 or 1 for the two arguments of a unit. */
type Behaviour = (next: () => number) => { readonly tool: string; args(n: number): Arguments };

const below = (next: () => number, limit: number): number => Math.floor(next() * limit);

/** Each as often as its weight says. */
const BEHAVIOURS: readonly (readonly [weight: number, Behaviour])[] = [
  [20, () => ({ tool: 'echo', args: (n) => ({ text: `é😀"\\ ${n}` }) })],
  [30, (next) => sleeping('sleep', below(next, 120))],
  [6, (next) => sleeping('late', 200 + below(next, 1_200))],
  [6, (next) => sized(1 + below(next, 20_000))],
  [4, (next) => sleeping('spin', below(next, 5))],
  [6, () => ({ tool: 'tool-error', args: (n) => ({ text: `no ${n}` }) })],
  [6, () => ({ tool: 'rpc-error', args: (n) => ({ code: -32_000 - n, message: 'né' }) })],
  [3, () => ({ tool: 'bad', args: (n) => ({ shape: n === 0 ? 'neither' : 'both' }) })],
  [8, (next) => failingOnce(below(next, 2), pick(next, ['crash', 'bad', 'hang']))],
  [3, (next) => sleeping('crash', below(next, 40))],
  [2, () => ({ tool: 'crash-after-answer', args: (n) => ({ code: n }) })],
  // Held, it would outlive a bridge that is killed.
  [2, () => ({ tool: 'hang', args: (n) => (n === 0 ? {} : { hold: false }) })],
];

function sleeping(tool: string, ms: number): ReturnType<Behaviour> {
  return { tool, args: (n) => ({ ms: ms + n }) };
}

function sized(bytes: number): ReturnType<Behaviour> {
  return { tool: 'blob', args: (n) => ({ bytes: bytes + n, unicode: true }) };
}

/** A second execution would end differently: what a wrong replay would show. */
function failingOnce(times: number, how: string): ReturnType<Behaviour> {
  return { tool: 'flaky', args: (n) => ({ times: times + n, how }) };
}

const RECENT = 16;

/** @returns `calls` calls over some third as many units: most come back to a unit that somebody has just used */
export function planCalls({ seed, calls, replicas, maxPauseMs }: PlanOptions): PlannedCall[] {
  const next = random(seed);
  const units: Unit[] = [];
  const byTag = new Map<string, Unit>();
  const chance = (percent: number): boolean => next() * 100 < percent;

  const unit = (): Unit => {
    if (units.length > 0 && chance(65)) {
      return pick(next, chance(85) ? units.slice(-RECENT) : units);
    }
    const behaviour = behaviourOf(next)(next);
    const principal = pick(next, PRINCIPALS);
    // The same key of another principal, or with another tool, is another unit.
    const key = units.length > 0 && chance(30) ? pick(next, units.slice(-RECENT)).key : `key-${units.length}`;
    const tag = `${principal}/${behaviour.tool}/${key}`;
    const known = byTag.get(tag);
    if (known !== undefined) return known;
    const args = (n: number): Arguments => ({ ...behaviour.args(n), tag });
    const made: Unit = { tag, principal, tool: behaviour.tool, key, args: [args(0), args(1)] };
    units.push(made);
    byTag.set(tag, made);
    return made;
  };

  return Array.from({ length: calls }, (_, index) => ({
    index,
    unit: unit(),
    variant: chance(6) ? 1 : 0,
    replica: below(next, replicas),
    timeoutMs: chance(60) ? 100 + below(next, 1_400) : undefined,
    leaveAfterMs: chance(12) ? below(next, 80) : undefined,
    pauseMs: below(next, maxPauseMs),
  }));
}

function behaviourOf(next: () => number): Behaviour {
  let left = next() * BEHAVIOURS.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, behaviour] of BEHAVIOURS) {
    left -= weight;
    if (left < 0) return behaviour;
  }
  throw new Error('weights do not add up');
}
