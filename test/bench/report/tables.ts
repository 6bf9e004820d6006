import type { ColdStart } from '../sections/cold-start.ts';
import type { FreshClients } from '../sections/fresh-clients.ts';
import { LOADS, type Load } from '../sections/loads.ts';
import type { Throughput } from '../sections/throughput.ts';
import type { WorkerStart } from '../sections/worker-start.ts';
import { median, spread } from '../statistics.ts';
import { figure, range, table } from './markdown.ts';
import { pairedRatio } from './ratios.ts';

/** Everything a run has measured; a section that did not run is empty. */
export interface Results {
  readonly throughput: Throughput;
  readonly freshClients: readonly FreshClients[];
  readonly coldStarts: readonly ColdStart[];
  readonly workerStarts: readonly WorkerStart[];
}

const MIB = 1024;

function loadTable({ throughput: { samples } }: Results, load: Load): string {
  const bySubject = Map.groupBy(
    samples.filter((sample) => sample.load === load),
    (sample) => sample.subject,
  );
  const large = load.workload.tool === 'blob';
  const rows = [...bySubject].map(([subject, of]) => {
    const middle = (pick: (sample: (typeof of)[number]) => number): number => median(of.map(pick));
    const rate = middle((sample) => sample.callsPerSecond);
    return [
      subject,
      figure(rate),
      ...(load.workload.tool === 'blob' ? [figure((rate * load.workload.bytes) / 1e6)] : []),
      range(pairedRatio(samples, load.name, subject, 'naive')),
      range(pairedRatio(samples, load.name, subject, 'best peer')),
      `${figure(middle((sample) => sample.p50Ms))} / ${figure(middle((sample) => sample.p99Ms))}`,
      figure(middle((sample) => sample.cpuMsPerCall * 1_000)),
      figure(middle((sample) => sample.bridgeCpuMsPerCall * 1_000)),
    ];
  });
  const head = [
    'subject',
    'calls/s',
    ...(large ? ['MB/s'] : []),
    '× naive',
    '× best peer',
    'p50 / p99 ms',
    'CPU µs/call, bridge + children',
    'of it the bridge',
  ];
  return `### ${load.name}\n\n${table(head, rows)}`;
}

function memoryTable({ throughput: { memory } }: Results): string {
  const rows = [...memory].map(([subject, held]) => [
    subject,
    String(held.processes),
    figure(held.bridgeRssKiB / MIB),
    figure(held.rssKiB / MIB),
    figure(held.pssKiB / MIB),
  ]);
  const head = ['subject', 'processes', 'bridge RSS MiB', 'all RSS MiB', 'all PSS MiB'];
  return `### Memory after the small calls\n\n${table(head, rows)}`;
}

/** What one client leaves in the bridge process, in KiB. */
export function kibPerClient(result: FreshClients): number {
  return (result.after.bridgeRssKiB - result.before.bridgeRssKiB) / result.clients;
}

/** The same over the second stretch; NaN where there was none. */
export function kibPerLaterClient({ after, later }: FreshClients): number {
  return later === undefined ? Number.NaN : (later.after.bridgeRssKiB - after.bridgeRssKiB) / later.clients;
}

function freshTable({ freshClients }: Results): string {
  const rows = freshClients.map((result) => [
    result.subject + (result.farewell ? ' + DELETE' : ''),
    figure(result.msPerClient),
    `${result.before.processes} → ${result.after.processes}`,
    `${figure(result.before.rssKiB / MIB)} → ${figure(result.after.rssKiB / MIB)}`,
    figure((result.after.pssKiB - result.before.pssKiB) / MIB),
    figure(kibPerClient(result)),
    figure(kibPerLaterClient(result)),
  ]);
  const count = freshClients[0]?.clients ?? 0;
  const head = [
    'subject',
    'ms/client',
    'processes',
    'all RSS MiB',
    'PSS growth MiB',
    'KiB per client in the bridge',
    'over five times as many more',
  ];
  return `### ${count} fresh clients, one after another\n\nEach opens a connection and, where there are sessions, a session; calls echo once; goes.\n\n${table(head, rows)}`;
}

function coldTable({ coldStarts }: Results): string {
  const groups = Map.groupBy(coldStarts, (start) => `${start.subject}${start.cached ? ', warm compile cache' : ''}`);
  const rows = [...groups].map(([name, of]) => [
    name,
    range(spread(of.map((start) => start.ms))),
    figure(median(of.map((start) => start.memory.bridgeRssKiB)) / MIB),
    figure(median(of.map((start) => start.memory.rssKiB)) / MIB),
    figure(median(of.map((start) => start.memory.pssKiB)) / MIB),
  ]);
  const head = ['subject', 'ms to the first right answer', 'bridge RSS MiB', 'all RSS MiB', 'all PSS MiB'];
  return `### Cold start, and memory at the first call\n\n${table(head, rows)}`;
}

function workerTable({ workerStarts }: Results): string {
  const groups = Map.groupBy(workerStarts, (start) => start.bridge);
  const rows = [...groups].map(([bridge, of]) => [
    bridge,
    ...[true, false].flatMap((cached) => {
      const starts = of.filter((start) => start.cached === cached);
      return [range(spread(starts.map(({ ms }) => ms))), figure(median(starts.map(({ rssKiB }) => rssKiB)) / MIB)];
    }),
  ]);
  const head = ['worker', 'ms to its tools, warm compile cache', 'RSS MiB', 'no compile cache', 'RSS MiB'];
  return `### Start of a bridge’s own worker: from spawn to its list of tools\n\n${table(head, rows)}`;
}

/** All tables of what was measured, Markdown. */
export function tables(results: Results): string {
  const measured = new Set(results.throughput.samples.map((sample) => sample.load));
  const parts = LOADS.filter((load) => measured.has(load)).map((load) => loadTable(results, load));
  if (results.throughput.memory.size > 0) parts.push(memoryTable(results));
  if (results.freshClients.length > 0) parts.push(freshTable(results));
  if (results.coldStarts.length > 0) parts.push(coldTable(results));
  if (results.workerStarts.length > 0) parts.push(workerTable(results));
  return parts.join('\n\n');
}
