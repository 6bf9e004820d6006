import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import type { Options } from '../options.ts';
import { SUBJECTS } from '../subjects.ts';
import { table } from './markdown.ts';

function versionOf(name: string): string {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return `${name} ${JSON.parse(readFileSync(file, 'utf8')).version}`;
}

/** When, where and with which versions a run was made: numbers without it mean nothing. */
export function machine(options: Options, loadBefore: readonly number[]): string {
  const ours = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')).version;
  const packages = ['supergateway', 'mcp-proxy', 'hono', '@hono/node-server', '@modelcontextprotocol/sdk'];
  const load = (values: readonly number[]): string => values.map((value) => value.toFixed(1)).join(' ');
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const legend = SUBJECTS.map(({ name, about }) => [name, about]);
  return `- ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC; ${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${memory}; load average ${load(loadBefore)} before, ${load(loadavg())} after
- Node ${process.versions.node}; this repository ${ours}; ${packages.map(versionOf).join(', ')}
- ${options.rounds} rounds of ${options.seconds} s per measurement (policies and telemetry three times as many, of new processes each), order rotated every round; one generator process per subject on the same machine; every answer checked for its own call number. Calls/s depend on the machine and on the generator that shares it: compare ratios.

${table(['subject', 'what'], legend, '---')}`;
}
