import { type Problem, problemLine } from '#core/config/problems.ts';
import { LineOutput } from '#core/telemetry/line-output.ts';

const out = new LineOutput(process.stdout);
const err = new LineOutput(process.stderr);
const flushBudgetMs = 2000;

/** Writes the result a command was asked for. */
export function print(text: string): void {
  out.write(`${text}\n`);
}

/** Tells the person at the terminal something beside the result. */
export function tell(text: string): void {
  err.write(`${text}\n`);
}

/** Tells mistakes, one line each. */
export function tellProblems(problems: readonly Problem[]): void {
  for (const problem of problems) tell(`fleet: ${problemLine(problem)}`);
}

/** Settles when all that was said has been handed over, or after 2 s. */
export async function said(): Promise<void> {
  await Promise.all([out.flush(flushBudgetMs), err.flush(flushBudgetMs)]);
}
