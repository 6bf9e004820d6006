import { BridgeError } from '#core/errors.ts';
import type { Inquiry } from './conclude.ts';
import type { Edge } from './edge.ts';
import type { Answer } from './exchange.ts';
import { jsonAnswer } from './json-answer.ts';

/** Whether a call could be served now: not on the way out, and a configured bridge has a worker or may start one. */
export function canServe(edge: Edge): boolean {
  return (
    !edge.draining && [...edge.bridges.values()].some((bridge) => bridge.mode !== 'not_configured' && bridge.ready)
  );
}

/** `GET /health`: cheap and without detail. @throws BridgeError draining, no_worker_ready */
export function showHealth(edge: Edge, inquiry: Inquiry): Answer {
  inquiry.address = '/health';
  if (canServe(edge)) return jsonAnswer(inquiry, 200, { status: 'ok' });
  throw edge.draining
    ? new BridgeError('draining', 'this process is shutting down; send new calls to another replica')
    : new BridgeError(
        'no_worker_ready',
        'no bridge of this process can take a call now; /status on the ops port says why',
      );
}

/** `GET /`: the bridges of this process that the caller may use, and where their documents are. @throws BridgeError */
export async function showIndex(edge: Edge, inquiry: Inquiry): Promise<Answer> {
  inquiry.address = '/';
  const principal = await edge.authenticate(inquiry.exchange);
  const usable = [...edge.bridges.values()].filter(({ name }) => principal.mayUse(name));
  const bridges = usable.map(({ name, title, description, mode }) => ({
    name,
    title,
    description,
    mode,
    tools: `/${name}/mcp/tools`,
  }));
  return jsonAnswer(inquiry, 200, { name: 'mcp-bridge-fleet', version: edge.version, bridges, health: '/health' });
}
