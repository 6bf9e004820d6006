import { resolve } from 'node:path';
import { Redactor } from '#core/child/redact.ts';
import { Environment } from '#core/config/environment.ts';
import { Docker, DockerError } from '#core/deploy/docker.ts';
import { LockedError, lock } from '#core/deploy/lock.ts';
import { isMode, Project } from '#core/deploy/project.ts';
import { serviceNamed } from '#core/deploy/role.ts';
import { type Runner, StepError } from '#core/deploy/run-steps.ts';
import { describeStep, type Step } from '#core/deploy/step.ts';
import { nearNames } from '#core/near-names.ts';
import { EXIT } from './exit-codes.ts';
import { print, said, tell } from './say.ts';

/** What every command over containers may be told. */
export interface OperationOptions {
  readonly mode?: string;
  readonly monitoring?: true;
  readonly file?: readonly string[];
  readonly projectName?: string;
  /** Seconds. */
  readonly timeout?: string;
  readonly dryRun?: true;
}

/** What a person has said that cannot be done as said: told in one line, exit code 64. */
export class Refusal extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Refusal';
  }
}

const ROOT = resolve(import.meta.dirname, '../..');
const DEFAULT_TIMEOUT_S = 120;
const SECRETIVE = /TOKEN|SECRET|KEY|PASSWORD|URL|CREDENTIAL|DSN|ACCOUNT/;

/**
 * Does `work` with an engine and a project. The first ^C lets the step at hand end and leaves the rest; the lock keeps
 * two of us from changing the same project at once. Returns the exit code: 1 where a step failed.
 */
export async function operate(
  options: OperationOptions,
  work: (runner: Runner) => Promise<number>,
  { exclusive = true }: { readonly exclusive?: boolean } = {},
): Promise<number> {
  const interrupted = new AbortController();
  const onSignal = (): void => {
    if (interrupted.signal.aborted) process.exit(EXIT.interrupted);
    tell('fleet: stopping after this step; what runs is left to run (once more: at once)');
    interrupted.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    const runner = runnerOf(options, interrupted.signal);
    using _ = exclusive && options.dryRun !== true ? lock(`${runner.project.memory.path}.lock`) : undefined;
    return await work(runner);
  } catch (error) {
    return told(error, interrupted.signal.aborted);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await said();
  }
}

/** Services by the names people give them; all of `services` where none is said. */
export function servicesNamed(said: readonly string[], services: readonly string[]): readonly string[] {
  return said.map((name) => {
    const service = serviceNamed(name, services);
    if (service !== undefined) return service;
    const near = nearNames(
      name,
      services.map((candidate) => candidate.replace(/^mcp-/, '')),
    );
    const advice = near.length > 0 ? `did you mean ${near.join(' or ')}?` : `there are ${services.join(', ')}`;
    throw new Refusal(`there is no service ${name}: ${advice}`);
  });
}

/** Prints what would be done. */
export function printPlan(steps: readonly Step[]): void {
  if (steps.length === 0) print('nothing to do');
  for (const step of steps) print(describeStep(step));
}

function runnerOf(options: OperationOptions, signal: AbortSignal): Runner {
  const { mode, timeout = String(DEFAULT_TIMEOUT_S) } = options;
  if (mode !== undefined && !isMode(mode)) throw new Refusal(`--mode is one of dev, prod, cluster, swarm, not ${mode}`);
  if (!/^[1-9]\d{0,4}$/.test(timeout)) throw new Refusal('--timeout is a number of seconds from 1 to 99999');
  const project = new Project({
    root: ROOT,
    environment: Environment.ofProcess().all,
    mode,
    monitoring: options.monitoring,
    files: options.file,
    name: options.projectName,
  });
  const secrets = Object.entries(project.environment).filter(
    ([name]) => SECRETIVE.test(name) && !name.endsWith('_FILE'),
  );
  const redactor = new Redactor(secrets.map(([, value]) => value));
  return {
    docker: new Docker(project.environment, (text) => redactor.redact(text)),
    project,
    say: (line) => tell(`fleet: ${line}`),
    signal,
    healthyWithinMs: Number(timeout) * 1000,
  };
}

function told(error: unknown, interrupted: boolean): number {
  if (interrupted) {
    tell('fleet: interrupted; what runs was left to run, and the same command goes on from here');
    return EXIT.interrupted;
  }
  if (error instanceof Refusal) {
    tell(`fleet: ${error.message}`);
    return EXIT.usage;
  }
  if (error instanceof LockedError) {
    tell(`fleet: ${error.message}`);
    return EXIT.unavailable;
  }
  if (!(error instanceof StepError || error instanceof DockerError)) throw error;
  for (const line of error.lines) tell(`  | ${line}`);
  tell(`fleet: ${error.message}`);
  if (error instanceof DockerError) tell('fleet: nothing was stopped by this; fleet doctor says what is missing');
  return EXIT.differs;
}
