import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { ToolPolicy } from '../../core/call.ts';
import type { Sandbox } from '../../core/manifest.ts';
import type { Received } from '../../core/sandbox-kit/received-log.ts';
import { type Answer, Fleet } from '../support/fleet.ts';

/** A tool as `GET /{bridge}/mcp/tools` lists it. */
export interface ListedTool {
  readonly name: string;
  readonly policy: Pick<ToolPolicy, 'effect' | 'idempotencyKey'>;
}

/** Somebody else's server in the place of one of our bridges, put there by a config file. */
export interface Swapped extends AsyncDisposable {
  readonly fleet: Fleet;
  tools(): Promise<readonly ListedTool[]>;
  call(
    tool: string,
    args?: Readonly<Record<string, unknown>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<SwappedAnswer>;
}

/** Servers of other people answer in texts. */
export interface SwappedAnswer extends Answer {
  readonly isError: boolean;
  /** The first text of the answer. */
  readonly said: string;
}

/** `fleet serve --config` with one server, `entry` being its member of `mcpServers`. */
export async function swap(
  bridge: string,
  entry: object,
  env: Readonly<Record<string, string>> = {},
): Promise<Swapped> {
  const fleet = await Fleet.start({ config: { mcpServers: { [bridge]: entry } }, env });
  return {
    fleet,
    tools: async () => (await fleet.request(`/${bridge}/mcp/tools`, undefined, { method: 'GET' })).json.tools,
    call: async (tool, args = {}, headers = {}) => {
      const answer = await fleet.request(`/${bridge}/mcp/tools/${tool}`, args, { headers });
      return {
        ...answer,
        isError: answer.json?.isError === true,
        said: answer.json?.content?.[0]?.text ?? '',
      };
    },
    [Symbol.asyncDispose]: () => fleet[Symbol.asyncDispose](),
  };
}

/** Each tool with what the operator said it does: for one look at the whole list. */
export async function effectsOf(swapped: Swapped): Promise<Readonly<Record<string, string>>> {
  return Object.fromEntries((await swapped.tools()).map(({ name, policy }) => [name, policy.effect]));
}

/** What a stand-in received at `path`. */
export async function receivedBy({ url }: Sandbox, path: string): Promise<readonly Received[]> {
  const answer = await fetch(`${url}/_sandbox/received`);
  const { received } = (await answer.json()) as { readonly received: readonly Received[] };
  return received.filter((seen) => seen.path === path);
}

/** Stops the fleet; its workers have to be gone with it, by themselves. */
export async function endsClean({ fleet }: Swapped): Promise<void> {
  const own = fleet.process.pid;
  const pids = readFileSync(`/proc/${own}/task/${own}/children`, 'utf8').split(' ').filter(Boolean);
  expect(pids).not.toEqual([]);
  expect(await fleet.stop()).toEqual({ code: 0, signal: null });
  expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
}
