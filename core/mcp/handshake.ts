import { BridgeError } from '#core/errors.ts';
import type { Era } from '#core/manifest.ts';
import type { Exchange, Reply } from '#core/mcp/exchange.ts';
import {
  CLIENT_INFO,
  LEGACY_VERSION,
  LEGACY_VERSIONS,
  MODERN_ERRORS,
  MODERN_PARAMS,
  MODERN_VERSION,
  SERVER_INFO_KEY,
} from '#core/mcp/protocol.ts';

/** Which protocol a child speaks, and what it says of itself. */
export interface SessionInfo {
  readonly era: 'legacy' | 'modern';
  readonly protocolVersion: string;
  /** As the child gives it, normally with `name` and `version`. */
  readonly serverInfo: Readonly<Record<string, unknown>>;
}

/** The outcome of a handshake. */
export interface Handshake extends SessionInfo {
  /** The child announces changes of its tool list, on request or by itself. */
  readonly listChanged: boolean;
}

/** Shared by the workers of a bridge, so that one probe serves them all. */
export interface EraMemory {
  known: 'legacy' | 'modern' | undefined;
}

/** How a handshake talks. */
export interface HandshakeLink {
  ask(method: string, params: string): Exchange;
  notify(method: string): void;
}

export interface HandshakeOptions {
  readonly era: Era;
  readonly memory: EraMemory;
  /** Silence for this long on `server/discover` means a legacy child. */
  readonly probeTimeoutMs: number;
}

const INITIALIZE = `{"protocolVersion":"${LEGACY_VERSION}","capabilities":{},"clientInfo":${CLIENT_INFO}}`;

/**
 * Opens the conversation with a child of either era (MCP 2026-07-28, "Backward compatibility": probe with
 * `server/discover`; anything but its result or an error of that revision, or silence, means legacy).
 *
 * The verdict is remembered at once. Where it was only inferred and turns out wrong it is forgotten, so that
 * the next child is probed again.
 *
 * @throws BridgeError child_protocol_error; whatever abandons the exchanges
 */
export async function shakeHands(link: HandshakeLink, options: HandshakeOptions): Promise<Handshake> {
  const { era, memory } = options;
  const known = era === 'auto' ? memory.known : era;
  if (known === undefined) return probe(link, options);
  try {
    return known === 'modern'
      ? modernOnly(await discover(link).reply)
      : initialized(link, await initialize(link).reply);
  } catch (error) {
    // A child that refuses what was remembered of its like may have been replaced by another version.
    if (era === 'auto' && error instanceof BridgeError && error.code === 'child_protocol_error')
      memory.known = undefined;
    throw error;
  }
}

async function probe(link: HandshakeLink, { memory, probeTimeoutMs }: HandshakeOptions): Promise<Handshake> {
  const question = discover(link);
  let answered = false;
  let found: Handshake | undefined;
  const late = question.reply.then((reply) => {
    answered = true;
    found = modern(reply);
    if (found !== undefined) memory.known = 'modern';
  });
  late.catch(() => {});
  try {
    await within(probeTimeoutMs, late);
    if (found !== undefined) return found;
    if (answered) memory.known = 'legacy';
    const hello = initialize(link).reply;
    // After silence the child may only have been slow to start: it reads both questions then. What counts for
    // this connection is whether it takes `initialize`; a modern child that ignores it wins a little later.
    const reply = answered ? await hello : await Promise.race([hello, afterLate(late, hello, probeTimeoutMs)]);
    if (found !== undefined && reply?.kind !== 'result') return found;
    if (reply === undefined) return initialized(link, await hello);
    const handshake = initialized(link, reply);
    memory.known ??= 'legacy';
    return handshake;
  } catch (error) {
    // Some legacy servers exit on any request before `initialize`: the next one is not asked.
    if (!answered && isGone(error)) memory.known = 'legacy';
    throw error;
  }
}

/** Undefined once the late answer has come and `hello` had its chance. */
async function afterLate(late: Promise<void>, hello: Promise<Reply>, graceMs: number): Promise<Reply | undefined> {
  await late;
  return within(graceMs, hello);
}

/** The child ended; everything else that abandons a handshake (its deadline) says nothing of the child. */
function isGone(error: unknown): boolean {
  return error instanceof BridgeError && error.code === 'child_crashed';
}

function discover(link: HandshakeLink): Exchange {
  return link.ask('server/discover', MODERN_PARAMS);
}

function initialize(link: HandshakeLink): Exchange {
  return link.ask('initialize', INITIALIZE);
}

/** What a reply to `server/discover` makes of a child; undefined: it is a legacy one. @throws BridgeError */
function modern(reply: Reply): Handshake | undefined {
  if (reply.kind === 'error' && MODERN_ERRORS.has(reply.error.code)) {
    throw noCommonVersion(versions((reply.error.data as { supported?: unknown } | undefined)?.supported));
  }
  if (reply.kind !== 'result' || !Array.isArray(reply.value.supportedVersions)) return undefined;
  const supported = versions(reply.value.supportedVersions);
  if (!supported.includes(MODERN_VERSION)) {
    if (supported.some((version) => LEGACY_VERSIONS.has(version))) return undefined;
    throw noCommonVersion(supported);
  }
  const { _meta: meta, serverInfo, capabilities } = reply.value;
  return {
    era: 'modern',
    protocolVersion: MODERN_VERSION,
    serverInfo: record(record(meta)[SERVER_INFO_KEY] ?? serverInfo),
    listChanged: record(record(capabilities).tools).listChanged === true,
  };
}

function modernOnly(reply: Reply): Handshake {
  const handshake = modern(reply);
  if (handshake === undefined) throw broken(`its answer to server/discover is not one: ${explain(reply)}`);
  return handshake;
}

function initialized(link: HandshakeLink, reply: Reply): Handshake {
  if (reply.kind !== 'result') throw broken(`initialize failed: ${explain(reply)}`);
  const { protocolVersion, serverInfo, capabilities } = reply.value;
  if (typeof protocolVersion !== 'string' || !LEGACY_VERSIONS.has(protocolVersion)) {
    throw noCommonVersion(versions([protocolVersion]));
  }
  link.notify('notifications/initialized');
  return {
    era: 'legacy',
    protocolVersion,
    serverInfo: record(serverInfo),
    listChanged: record(record(capabilities).tools).listChanged === true,
  };
}

/** The value, or undefined when it took longer. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** At most ten version-like strings: they end in a message. */
function versions(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item) => typeof item === 'string' && /^[\w.-]{1,32}$/.test(item)).slice(0, 10) as string[];
}

function explain(reply: Reply): string {
  if (reply.kind === 'error') return `JSON-RPC error ${reply.error.code}`;
  return reply.kind === 'malformed' ? reply.why : 'an unexpected result';
}

function noCommonVersion(theirs: readonly string[]): BridgeError {
  const ours = [MODERN_VERSION, ...LEGACY_VERSIONS].join(', ');
  return broken(`it speaks protocol version ${theirs.join(', ') || '(none given)'}, we speak ${ours}`);
}

function broken(why: string): BridgeError {
  return new BridgeError('child_protocol_error', `the worker's handshake failed: ${why}`);
}
