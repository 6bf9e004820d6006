import { expect, it } from 'vitest';
import { RetryBudget } from '#core/policy/retry-budget.ts';

function budgetAt() {
  const clock = { ms: 0 };
  return { clock, budget: new RetryBudget(() => clock.ms) };
}

function take(budget: RetryBudget, times: number): number {
  let taken = 0;
  for (let i = 0; i < times; i++) if (budget.take()) taken++;
  return taken;
}

it('allows 3 second attempts in 10 s however few calls there are', () => {
  const { budget } = budgetAt();
  budget.call();
  expect(take(budget, 10)).toBe(3);
});

it('allows 20 % of the calls where that is more than 3', () => {
  const { budget } = budgetAt();
  for (let i = 0; i < 100; i++) budget.call();
  expect(take(budget, 100)).toBe(20);
});

it('forgets calls and attempts after 10 s, a second at a time', () => {
  const { budget, clock } = budgetAt();
  expect(take(budget, 3)).toBe(3);
  clock.ms = 9_999;
  expect(take(budget, 1)).toBe(0);
  clock.ms = 10_000;
  expect(take(budget, 10)).toBe(3);
});

it('starts afresh after a long silence', () => {
  const { budget, clock } = budgetAt();
  for (let i = 0; i < 1_000; i++) budget.call();
  clock.ms = 3_600_000;
  expect(take(budget, 10)).toBe(3);
});
