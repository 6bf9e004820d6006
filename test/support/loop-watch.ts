import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Fleet } from './fleet.ts';
import { until } from './until.ts';

/** What a process under test was like between two looks. */
export interface LoopReport {
  readonly p99Ms: number;
  /** The longest time its event loop was held, or had to wait for a processor. */
  readonly maxMs: number;
  readonly peakBytes: number;
}

/** Looks into a fleet process from outside: start it with `env`, then `take` before and after what is to be judged. */
export class LoopWatch implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'loop-watch-'));
  readonly #file = join(this.#folder, 'report.json');
  #taken = 0;

  constructor() {
    writeFileSync(this.#file, '{"reports":0}');
  }

  /** Variables for the process; its children inherit none of them. */
  get env(): Readonly<Record<string, string>> {
    const preload = fileURLToPath(new URL('../fixtures/loop-watch.mjs', import.meta.url));
    return { NODE_OPTIONS: `--import=${preload}`, LOOP_WATCH_FILE: this.#file };
  }

  /** What was seen since the last time. */
  async take(fleet: Fleet): Promise<LoopReport> {
    this.#taken += 1;
    fleet.process.kill('SIGUSR2');
    return until('the process reports', () => {
      const report = JSON.parse(readFileSync(this.#file, 'utf8'));
      return report.reports === this.#taken ? (report as LoopReport) : undefined;
    });
  }

  /**
   * The calmest of several runs. A processor that is busy with something else makes a run look worse and never
   * better, so what still holds the loop in the best of them is the process's own.
   */
  async best(fleet: Fleet, runs: number, run: () => Promise<void>): Promise<LoopReport> {
    const reports: LoopReport[] = [];
    for (let i = 0; i < runs; i++) {
      await this.take(fleet);
      await run();
      reports.push(await this.take(fleet));
    }
    return reports.reduce((best, report) => (report.maxMs < best.maxMs ? report : best));
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
