import { parseArgs } from 'node:util';

/**
 * The parts of a run; `cold` and `fresh` start subjects of their own, `workers` the servers of our bridges, the others share
 * one set of subjects.
 */
export const SECTIONS = ['echo', 'big', 'sleep', 'sdk', 'policies', 'telemetry', 'fresh', 'cold', 'workers'] as const;
export type Section = (typeof SECTIONS)[number];

/** What a run does, defaults filled in. */
export interface Options {
  readonly rounds: number;
  /** Length of one measurement; large results take three times as long. */
  readonly seconds: number;
  readonly sections: ReadonlySet<Section>;
  /** Names of subjects; empty means all. */
  readonly subjects: ReadonlySet<string>;
  readonly clients: number;
  readonly coldStarts: number;
  /** Whether it is to be short, and no figure of it to be trusted. */
  readonly quick: boolean;
  /** Write the tables to results.md as well. */
  readonly write: boolean;
  /** Subject to run with --cpu-prof instead of measuring anything. */
  readonly profile: string | undefined;
  readonly help: boolean;
}

export const USAGE = `npm run bench -- [options]
  --rounds 3           interleaved rounds, each running every subject (1 to 50)
  --seconds 0.7        length of one measurement (0.1 to 30)
  --only echo,big      sections: ${SECTIONS.join(', ')}
  --subjects ours,naive  subjects by name (the others are left out)
  --clients 200        fresh clients (10 to 2000)
  --cold 7             cold starts per subject and worker (1 to 50)
  --quick              1 round of 0.3 s, 50 clients, 3 cold starts
  --write              also write test/bench/results.md
  --profile ours       run one subject at 64 connections under --cpu-prof and print where its time goes`;

function number(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < min || value > max)
    throw new Error(`--${name} must be a number from ${min} to ${max}`);
  return value;
}

function list(text: string | undefined): string[] {
  return (text ?? '').split(',').filter((part) => part !== '');
}

/** Reads the command line. @throws Error naming the option that cannot be read */
export function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      only: { type: 'string' },
      subjects: { type: 'string' },
      clients: { type: 'string' },
      cold: { type: 'string' },
      quick: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const [rounds, seconds, clients, cold] = values.quick ? ['1', '0.3', '50', '3'] : ['3', '0.7', '200', '7'];
  const sections = list(values.only).map((name) => {
    const section = SECTIONS.find((known) => known === name);
    if (section === undefined) throw new Error(`--only knows ${SECTIONS.join(', ')}`);
    return section;
  });
  return {
    rounds: Math.round(number('rounds', values.rounds ?? rounds, 1, 50)),
    seconds: number('seconds', values.seconds ?? seconds, 0.1, 30),
    sections: new Set(sections.length > 0 ? sections : SECTIONS),
    subjects: new Set(list(values.subjects)),
    clients: Math.round(number('clients', values.clients ?? clients, 10, 2000)),
    coldStarts: Math.round(number('cold', values.cold ?? cold, 1, 50)),
    quick: values.quick,
    write: values.write,
    profile: values.profile,
    help: values.help,
  };
}
