import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Options, readOptions, USAGE } from './options.ts';
import { profile } from './profile.ts';
import { goalsTable } from './report/goals.ts';
import { machine } from './report/machine.ts';
import { type Results, tables } from './report/tables.ts';
import { RunningSubject } from './running-subject.ts';
import { measureColdStarts } from './sections/cold-start.ts';
import { measureFreshClients } from './sections/fresh-clients.ts';
import { type RunContext, reasonOf } from './sections/run-context.ts';
import { measureThroughput } from './sections/throughput.ts';
import { measureWorkerStarts } from './sections/worker-start.ts';
import { isInstalled, SUBJECTS, type Subject } from './subjects.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));

/** The peers' packages, exactly as locked; none of their install scripts is needed. */
function installPeers(progress: (line: string) => void): void {
  if (existsSync(join(HERE, 'node_modules/supergateway')) && existsSync(join(HERE, 'node_modules/mcp-proxy'))) return;
  progress('installing the peers into test/bench/node_modules (npm ci, once)');
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: HERE, stdio: ['ignore', 2, 2] });
}

function chosen(options: Options, progress: (line: string) => void): readonly Subject[] {
  const unknown = [...options.subjects].filter((name) => !SUBJECTS.some((subject) => subject.name === name));
  if (unknown.length > 0) throw new Error(`--subjects knows ${SUBJECTS.map((subject) => subject.name).join(', ')}`);
  return SUBJECTS.filter((subject) => {
    if (options.subjects.size > 0 && !options.subjects.has(subject.name)) return false;
    if (isInstalled(subject)) return true;
    progress(
      `!!! ${subject.name.toUpperCase()} IS NOT THERE (core/cli/fleet.ts is missing): LEFT OUT OF EVERYTHING BELOW !!!`,
    );
    return false;
  });
}

async function measure(context: RunContext): Promise<Results> {
  const { sections } = context.options;
  return {
    coldStarts: sections.has('cold') ? await measureColdStarts(context) : [],
    freshClients: sections.has('fresh') ? await measureFreshClients(context) : [],
    throughput: await measureThroughput(context),
    workerStarts: sections.has('workers') ? await measureWorkerStarts(context) : [],
  };
}

async function bench(options: Options): Promise<number> {
  const begin = performance.now();
  const progress = (line: string): void => {
    process.stderr.write(`${((performance.now() - begin) / 1_000).toFixed(1).padStart(6)} s  ${line}\n`);
  };
  const failures: string[] = [];
  const fail = (message: string): void => {
    // Everything fails once it is being stopped; that is not worth a line each.
    if (interrupted) throw new Error('interrupted');
    failures.push(message);
    progress(`FAILED: ${message}`);
  };
  installPeers(progress);
  const cacheDir = mkdtempSync(join(tmpdir(), 'fleet-bench-cache-'));
  try {
    const context: RunContext = { options, subjects: chosen(options, progress), cacheDir, progress, fail };
    if (options.profile !== undefined) {
      process.stdout.write(`${await profile(context, options.profile)}\n`);
      return 0;
    }
    const loadBefore = loadavg();
    const results = await measure(context);
    const failed = failures.map((failure) => `- ${failure.split('\n')[0]}`).join('\n');
    const parts = [
      '# Benchmark results',
      'Written by `npm run bench -- --write`.',
      machine(options, loadBefore),
      goalsTable(results),
      tables(results),
      failed === '' ? '' : `### Failures\n\n${failed}`,
    ];
    const report = `${parts.filter((part) => part !== '').join('\n\n')}\n`;
    process.stdout.write(report);
    if (options.write) writeFileSync(join(HERE, 'results.md'), report);
    return failures.length > 0 ? 1 : 0;
  } finally {
    await RunningSubject.stopAll();
    rmSync(cacheDir, { recursive: true, force: true });
  }
}

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interrupted) process.exit(130);
    interrupted = true;
    process.stderr.write('stopping what was started; once more to leave at once\n');
    void RunningSubject.stopAll();
  });
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(`${USAGE}\n`);
  else process.exitCode = await bench(options);
} catch (error) {
  process.stderr.write(`${reasonOf(error)}\n`);
  process.exitCode = interrupted ? 130 : 2;
}
