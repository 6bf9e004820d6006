import type { Reconciliation } from '../../../core/server-kit/define-tool.ts';
import type { ToolContext } from '../../../core/server-kit/tool-context.ts';
import { type Channel, messageOrder, requireTimely, type SendArguments } from '../message-order.ts';
import { requireAllowed } from '../recipient-guard.ts';
import { sentBefore } from '../sent-before.ts';
import { type Message, toMessage } from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

/** What the descriptions of both sending tools say of repeats. */
export const SEND_ONCE =
  'Needs an Idempotency-Key and sends once: after outcome_unknown repeat with the same key and Prefer: reconcile, never under a new key.';

/** Sends one message, once. @throws ToolError */
export async function send(
  { client, known, settings }: Toolbox,
  channel: Channel,
  args: SendArguments,
  context: ToolContext,
): Promise<Message> {
  requireAllowed(args.to, settings.allowedCountries);
  const order = messageOrder(channel, args, settings);
  requireTimely(order);
  const sent = await client.ask(context, 'api', 'write', (sdk) => sdk.messages.create(order));
  known.remember(context.idempotencyKey, sent.sid);
  return toMessage(sent);
}

/** Says whether an earlier call with these arguments sent its message. @throws ToolError */
export function wasSent(
  { client, known, settings }: Toolbox,
  channel: Channel,
  args: SendArguments,
  context: ToolContext,
): Promise<Reconciliation<Message>> {
  return sentBefore({ client, known, settleMs: settings.settleMs }, messageOrder(channel, args, settings), context);
}
