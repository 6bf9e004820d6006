import type { BridgeFigures, BridgeRow, FleetReport } from '#core/fleet-status/fleet-report.ts';
import type { Latency } from '#core/fleet-status/latency.ts';

/** How a cell is meant: `bad` needs somebody, `odd` is worth a look, `dim` is beside the point. */
type Tone = 'plain' | 'bad' | 'odd' | 'dim' | 'title';

interface Cell {
  readonly text: string;
  readonly tone: Tone;
}

/** For a terminal; text towards a file or a pipe has none. */
const ANSI: Readonly<Record<Tone, string>> = {
  plain: '',
  bad: '\u001b[31m',
  odd: '\u001b[33m',
  dim: '\u001b[2m',
  title: '\u001b[1m',
};
const ANSI_END = '\u001b[0m';

const TITLES = [
  ...['BRIDGE', 'REPLICA', 'MODE', 'STATE', 'WORKERS', 'BUSY', 'QUEUE', 'CALLS/S', 'P50', 'P99', 'ERRORS', 'BREAKERS'],
  ...['RESTARTS', 'RSS', 'UPTIME', 'VERSION'],
] as const;
/** The columns up to here are texts; numbers stand at the right. */
const TEXT_COLUMNS = 4;
const VERSION_COLUMN = TITLES.length - 1;

/**
 * The report as lines without line breaks: a row per bridge and replica, totals, and below what holds for all. Workers are
 * ready (+ starting) / most; RSS is that of the workers.
 */
export function statusLines(report: FleetReport, colours: boolean): string[] {
  const mixed = Object.keys(report.versions).length > 1;
  const rows = report.rows.map((row) => rowCells(row, mixed));
  const lost = report.lost.map(({ replica, problem }) => [plain('?'), plain(replica), bad('-'), bad(problem)]);
  const totals = [plain('total'), plain(`${report.totals.replicas} replicas`), plain(''), plain('')];
  const table = [
    TITLES.map((text): Cell => ({ text, tone: 'title' })),
    ...rows,
    [...totals, ...figureCells(report.totals), plain(''), plain('')],
  ];
  const widths = TITLES.map((_, i) => Math.max(...table.map((row) => row[i]?.text.length ?? 0)));
  // What is said of a lost replica may run over the columns that it has no figures for.
  table.splice(1 + rows.length, 0, ...lost);
  return [
    ...table.map((row) => lineOf(row, widths, colours)),
    '',
    ...remarks(report).map((cell) => paint(cell, colours)),
  ];
}

function rowCells(row: BridgeRow, mixedVersions: boolean): Cell[] {
  const state: Tone = row.state === 'ready' ? 'plain' : row.state === 'failed' ? 'bad' : 'odd';
  return [
    plain(row.bridge),
    plain(row.replica),
    { text: row.mode, tone: row.mode === 'live' ? 'plain' : 'odd' },
    { text: row.state, tone: state },
    ...figureCells(row),
    plain(durationText(row.uptimeMs)),
    { text: row.version, tone: mixedVersions ? 'odd' : 'plain' },
  ];
}

function figureCells(figures: BridgeFigures): Cell[] {
  const { workers, inFlight, waiting, queueMax, callsPerSecond, p50, p99, errors } = figures;
  const { breakersOpen, restarts, rssBytes } = figures;
  const starting = workers.starting === 0 ? '' : `+${workers.starting}`;
  return [
    { text: `${workers.ready}${starting}/${workers.max}`, tone: workers.starting > 0 ? 'odd' : 'plain' },
    plain(String(inFlight)),
    { text: `${waiting}/${queueMax}`, tone: waiting * 2 > queueMax ? 'bad' : waiting > 0 ? 'odd' : 'plain' },
    plain(callsPerSecond >= 100 ? callsPerSecond.toFixed(0) : callsPerSecond.toFixed(1)),
    plain(latencyText(p50)),
    plain(latencyText(p99)),
    countCell(errors),
    countCell(breakersOpen.length),
    { text: String(restarts), tone: restarts > 0 ? 'odd' : 'dim' },
    plain(rssBytes === 0 ? '-' : `${(rssBytes / 1024 ** 2).toFixed(0)} MiB`),
  ];
}

function remarks({ windowMs, versions, stores, audit, totals, degraded, lost }: FleetReport): Cell[] {
  const window = windowMs === 'since_start' ? 'since the start of each process' : `of the last ${seconds(windowMs)}`;
  const mixed = Object.keys(versions).length > 1;
  const open = totals.breakersOpen;
  return [
    { text: `calls/s, p50, p99 and errors are ${window}`, tone: 'dim' },
    plain(`stores: ${counted(stores)} · audit: ${counted(audit)}`),
    { text: `versions: ${counted(versions)}${mixed ? ' (a deploy is under way)' : ''}`, tone: mixed ? 'odd' : 'plain' },
    ...(open.length === 0 ? [] : [bad(`breakers open: ${[...new Set(open)].join(', ')}`)]),
    ...degraded.map(({ replica, what }) => bad(`${replica} goes on without: ${what.join(', ')}`)),
    ...(lost.length === 0 ? [] : [bad(`${lost.length} of ${totals.replicas} replicas did not answer`)]),
  ];
}

/** `3.4 ms`, `1.2 s`; below and above the buckets `<5 ms`, `>10 s`. */
export function latencyText(latency: Latency | null): string {
  if (latency === null) return '-';
  const sign = latency.is === 'below' ? '<' : latency.is === 'above' ? '>' : '';
  const ms = latency.seconds * 1000;
  return `${sign}${ms < 1000 ? `${Number(ms.toPrecision(2))} ms` : `${Number(latency.seconds.toPrecision(2))} s`}`;
}

/** The two largest units: `2d 3h`, `4m 5s`. */
export function durationText(ms: number): string {
  const total = Math.floor(ms / 1000);
  const [days, hours, minutes] = [
    Math.floor(total / 86_400),
    Math.floor(total / 3600) % 24,
    Math.floor(total / 60) % 60,
  ];
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${total % 60}s` : `${total}s`;
}

function seconds(ms: number): string {
  return `${Number((ms / 1000).toPrecision(2))} s`;
}

function counted(tally: Readonly<Record<string, number>>): string {
  const entries = Object.entries(tally).sort(([a], [b]) => a.localeCompare(b));
  return entries.length === 0 ? '-' : entries.map(([what, count]) => `${what || '?'} ×${count}`).join(', ');
}

function countCell(count: number): Cell {
  return { text: String(count), tone: count > 0 ? 'bad' : 'dim' };
}

function plain(text: string): Cell {
  return { text, tone: 'plain' };
}

function bad(text: string): Cell {
  return { text, tone: 'bad' };
}

function lineOf(row: readonly Cell[], widths: readonly number[], colours: boolean): string {
  const cells = row.map(({ text, tone }, i) => {
    const width = widths[i] ?? 0;
    const atTheLeft = i < TEXT_COLUMNS || i === VERSION_COLUMN;
    const last = i === row.length - 1;
    return paint({ text: !atTheLeft ? text.padStart(width) : last ? text : text.padEnd(width), tone }, colours);
  });
  return cells.join('  ').trimEnd();
}

function paint({ text, tone }: Cell, colours: boolean): string {
  return colours && ANSI[tone] !== '' ? `${ANSI[tone]}${text}${ANSI_END}` : text;
}
