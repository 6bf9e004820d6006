import type { SandboxRequest } from './sandbox-request.ts';

/** How a stand-in misbehaves. `drop_after`: the request takes effect and the connection breaks before the answer. */
export type FaultKind = 'status' | 'slow' | 'drop_before' | 'drop_after' | 'malformed';

/** One order: the next `times` requests that match get the fault. */
export interface FaultOrder {
  readonly kind: FaultKind;
  /** Default any. */
  readonly method?: string;
  /** Default any; `*` stands for any text. */
  readonly path?: string;
  /** Default 1. */
  readonly times?: number;
  /** `status`: what is answered instead; default 500. */
  readonly status?: number;
  /** `status`: the header `Retry-After`. */
  readonly retryAfterSeconds?: number;
  /** `slow`: default 1000. */
  readonly delayMs?: number;
}

/** An order as it befalls a request. */
export interface TakenFault {
  readonly kind: FaultKind;
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  readonly delayMs: number;
}

interface Pending {
  readonly order: FaultOrder;
  left: number;
}

const KINDS: readonly FaultKind[] = ['status', 'slow', 'drop_before', 'drop_after', 'malformed'];
const MAX_ORDERS = 1_000;

/** The faults a stand-in was told to have, first ordered first taken. */
export class FaultPlan {
  #pending: Pending[] = [];

  /** @throws TypeError when it is no order, or too many wait */
  order(order: unknown): void {
    const given = order as Partial<FaultOrder> | null;
    const kind = KINDS.find((known) => known === given?.kind);
    if (kind === undefined) throw new TypeError(`kind must be one of ${KINDS.join(', ')}`);
    if (this.#pending.length >= MAX_ORDERS) throw new TypeError(`at most ${MAX_ORDERS} orders may wait`);
    this.#pending.push({ order: { ...given, kind }, left: given?.times ?? 1 });
  }

  /** The orders that still wait, with what is left of each. */
  list(): readonly FaultOrder[] {
    return this.#pending.map(({ order, left }) => ({ ...order, times: left }));
  }

  clear(): void {
    this.#pending = [];
  }

  /** The fault that befalls this request, counted off its order. */
  take(request: Pick<SandboxRequest, 'method' | 'path'>): TakenFault | undefined {
    const pending = this.#pending.find(({ order }) => concerns(order, request));
    if (pending === undefined) return undefined;
    pending.left -= 1;
    if (pending.left <= 0) this.#pending = this.#pending.filter((other) => other !== pending);
    const { kind, status = 500, retryAfterSeconds, delayMs = 1_000 } = pending.order;
    return { kind, status, retryAfterSeconds, delayMs };
  }
}

function concerns({ method, path }: FaultOrder, request: Pick<SandboxRequest, 'method' | 'path'>): boolean {
  if (method !== undefined && method !== request.method) return false;
  if (path === undefined) return true;
  const [first = '', ...rest] = path.split('*');
  if (rest.length === 0) return request.path === path;
  if (!request.path.startsWith(first)) return false;
  let from = first.length;
  for (const [n, piece] of rest.entries()) {
    if (n === rest.length - 1) return request.path.length - piece.length >= from && request.path.endsWith(piece);
    const found = request.path.indexOf(piece, from);
    if (found === -1) return false;
    from = found + piece.length;
  }
  return true;
}
