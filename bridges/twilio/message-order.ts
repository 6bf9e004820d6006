import type { MessageListInstanceCreateOptions } from 'twilio/lib/rest/api/v2010/account/message.js';
import { ToolError } from '../../core/server-kit/tool-error.ts';
import type { Settings } from './settings.ts';

/** What the sending tools are asked for. */
export interface SendArguments {
  readonly to: string;
  readonly body?: string | undefined;
  readonly from?: string | undefined;
  readonly messagingServiceSid?: string | undefined;
  readonly mediaUrls?: readonly string[] | undefined;
  readonly sendAt?: string | undefined;
  readonly templateSid?: string | undefined;
  readonly templateVariables?: readonly { readonly name: string; readonly value: string }[] | undefined;
}

/** What goes before addresses. */
export type Channel = '' | 'whatsapp:';

/** A message as Twilio is asked to send it, defaults filled in. */
export type MessageOrder = MessageListInstanceCreateOptions;

const MINUTE_MS = 60_000;
const MIN_AHEAD_MS = 15 * MINUTE_MS;
const MAX_AHEAD_MS = 35 * 24 * 60 * MINUTE_MS;

/** Where a call names no sender, SMS go by the service and WhatsApp by its own number, as far as they are set. */
function senderOf(
  channel: Channel,
  args: SendArguments,
  settings: Settings,
): Pick<MessageOrder, 'from' | 'messagingServiceSid'> {
  const byNumber = channel === 'whatsapp:' || settings.messagingServiceSid === undefined;
  const usual = channel === '' ? settings.from : settings.whatsappFrom;
  const from = args.from ?? (args.messagingServiceSid === undefined && byNumber ? usual : undefined);
  const needsService = from === undefined || args.sendAt !== undefined;
  const service = args.messagingServiceSid ?? (needsService ? settings.messagingServiceSid : undefined);
  return {
    ...(from === undefined ? {} : { from: `${channel}${from}` }),
    ...(service === undefined ? {} : { messagingServiceSid: service }),
  };
}

function scheduleOf(sendAt: string, hasService: boolean): Pick<MessageOrder, 'scheduleType' | 'sendAt'> {
  // Without a service Twilio drops the schedule and sends at once.
  if (!hasService) {
    throw new ToolError('invalid_schedule', 'Twilio schedules messages of a messaging service only: nothing was sent', {
      hint: 'Give messagingServiceSid (list_messaging_services), or the operator sets TWILIO_MESSAGING_SERVICE_SID',
    });
  }
  return { scheduleType: 'fixed', sendAt: new Date(sendAt) };
}

/** Refuses a time that Twilio would not take now. @throws ToolError `invalid_schedule` */
export function requireTimely({ sendAt }: MessageOrder): void {
  if (sendAt === undefined) return;
  const aheadMs = sendAt.getTime() - Date.now();
  if (aheadMs >= MIN_AHEAD_MS && aheadMs <= MAX_AHEAD_MS) return;
  throw new ToolError('invalid_schedule', 'sendAt must be 15 minutes to 35 days ahead: nothing was sent', {
    hint: 'Choose a time in between, or leave sendAt out to send at once',
  });
}

/**
 * A message as Twilio is asked to send it, now or when it was asked before.
 * @throws ToolError `message_too_long`, `no_sender`, `invalid_schedule`
 */
export function messageOrder(channel: Channel, args: SendArguments, settings: Settings): MessageOrder {
  const { body, sendAt, mediaUrls, templateSid, templateVariables } = args;
  const chars = body?.length ?? 0;
  if (chars > settings.maxMessageChars) {
    throw new ToolError(
      'message_too_long',
      `the text has ${chars} characters, ${settings.maxMessageChars} are allowed`,
      {
        hint: 'Shorten it, or send a link; the operator sets the limit with TWILIO_MAX_MESSAGE_CHARS',
      },
    );
  }
  const sender = senderOf(channel, args, settings);
  if (sender.from === undefined && sender.messagingServiceSid === undefined) {
    const variable = channel === '' ? 'TWILIO_FROM' : 'TWILIO_WHATSAPP_FROM';
    throw new ToolError('no_sender', 'there is no sender to send it from: nothing was sent', {
      hint: `Give from or messagingServiceSid, or the operator sets ${variable} or TWILIO_MESSAGING_SERVICE_SID`,
    });
  }
  return {
    to: `${channel}${args.to}`,
    ...sender,
    ...(body === undefined ? {} : { body }),
    ...(mediaUrls === undefined ? {} : { mediaUrl: [...mediaUrls] }),
    ...(templateSid === undefined ? {} : { contentSid: templateSid }),
    ...(templateVariables === undefined
      ? {}
      : {
          contentVariables: JSON.stringify(
            Object.fromEntries(templateVariables.map(({ name, value }) => [name, value])),
          ),
        }),
    ...(sendAt === undefined ? {} : scheduleOf(sendAt, sender.messagingServiceSid !== undefined)),
  };
}
