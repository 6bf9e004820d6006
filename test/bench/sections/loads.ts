import type { Workload } from '../drive/workload.ts';
import type { Section } from '../options.ts';
import type { ChildName } from '../subjects.ts';

/** One measurement under load; every round runs it for every subject, one after another. */
export interface Load {
  /** Column and key, unique over all sections. */
  readonly name: string;
  readonly section: Section;
  readonly child: ChildName;
  readonly workload: Workload;
  readonly connections: number;
  /** Of `--seconds`: large results need longer for a number of calls worth a median. */
  readonly times: number;
}

const ECHO = { tool: 'echo', bytes: 100 } as const;
const KB100 = { tool: 'blob', bytes: 100_000 } as const;
const MB1 = { tool: 'blob', bytes: 1_000_000 } as const;

/** All measurements under load, in the order in which a round runs them. */
export const LOADS: readonly Load[] = [
  { name: 'echo c1', section: 'echo', child: 'echo', workload: ECHO, connections: 1, times: 1 },
  { name: 'echo c16', section: 'echo', child: 'echo', workload: ECHO, connections: 16, times: 1 },
  { name: 'echo c64', section: 'echo', child: 'echo', workload: ECHO, connections: 64, times: 1 },
  { name: '100 KB c1', section: 'big', child: 'echo', workload: KB100, connections: 1, times: 1 },
  { name: '100 KB c16', section: 'big', child: 'echo', workload: KB100, connections: 16, times: 1 },
  { name: '1 MB c1', section: 'big', child: 'echo', workload: MB1, connections: 1, times: 2 },
  { name: '1 MB c16', section: 'big', child: 'echo', workload: MB1, connections: 16, times: 2 },
  {
    name: 'sleep 100 ms c64',
    section: 'sleep',
    child: 'echo',
    workload: { tool: 'sleep', ms: 100 },
    connections: 64,
    times: 1,
  },
  { name: 'echo c16, SDK child', section: 'sdk', child: 'echo-sdk', workload: ECHO, connections: 16, times: 1 },
  { name: 'echo c64, SDK child', section: 'sdk', child: 'echo-sdk', workload: ECHO, connections: 64, times: 1 },
  { name: 'policies c16', section: 'policies', child: 'echo', workload: ECHO, connections: 16, times: 2 },
  { name: 'policies c64', section: 'policies', child: 'echo', workload: ECHO, connections: 64, times: 2 },
  { name: 'telemetry c16', section: 'telemetry', child: 'echo', workload: ECHO, connections: 16, times: 2 },
  { name: 'telemetry c64', section: 'telemetry', child: 'echo', workload: ECHO, connections: 64, times: 2 },
];

/** Answers compared as a whole before a subject is measured. */
export const VERIFIED: readonly Workload[] = [ECHO, KB100, MB1, { tool: 'sleep', ms: 1 }];
