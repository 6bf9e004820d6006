import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { mediaUrls, message, messagingServiceSid, recipient, sendAt, smsSender, text } from '../schemas.ts';
import { SEND_ONCE, send, wasSent } from './send.ts';
import type { Toolbox } from './toolbox.ts';

/** `send_sms` */
export function sendSmsTool(toolbox: Toolbox): DefinedTool {
  return defineTool({
    name: 'send_sms',
    title: 'Send an SMS',
    description:
      `Sends one text message to one person, now or at sendAt. It costs money and cannot be taken back once sent. ${SEND_ONCE} ` +
      'Only to countries the operator allows. The answer says that Twilio took it (queued, accepted, scheduled), not that it arrived: ask get_message. ' +
      'Use send_whatsapp for WhatsApp and start_verification for one-time codes, never this for codes.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input: z.object({
      to: recipient,
      body: text.describe('The text; 160 characters (70 with emoji or other special characters) make one billed part'),
      from: smsSender.optional(),
      messagingServiceSid: messagingServiceSid.optional(),
      mediaUrls,
      sendAt,
    }),
    output: message,
    run: (args, context) => send(toolbox, '', args, context),
    reconcile: (args, context) => wasSent(toolbox, '', args, context),
  });
}
