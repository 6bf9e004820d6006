import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import { mediaUrls, message, messagingServiceSid, phoneNumber, recipient, sendAt, text } from '../schemas.ts';
import { SEND_ONCE, send, wasSent } from './send.ts';
import type { Toolbox } from './toolbox.ts';

/** `send_whatsapp` */
export function sendWhatsappTool(toolbox: Toolbox): DefinedTool {
  return defineTool({
    name: 'send_whatsapp',
    title: 'Send a WhatsApp message',
    description:
      `Sends one WhatsApp message to one person, now or at sendAt. It costs money and cannot be taken back once sent. ${SEND_ONCE} ` +
      'Give body only within 24 hours after the person last wrote; otherwise WhatsApp takes only an approved template: templateSid from list_message_templates. ' +
      'Exactly one of body and templateSid. Only to countries the operator allows. Whether it arrived says get_message.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input: z.object({
      to: recipient,
      body: text.optional().describe('Free text, within 24 hours after the person last wrote'),
      templateSid: z
        .string()
        .regex(/^HX[0-9a-fA-F]{32}$/)
        .optional()
        .describe('An approved template (HX…); list_message_templates shows them'),
      templateVariables: z
        .array(z.object({ name: z.string().min(1).max(64), value: z.string().min(1).max(1_024) }))
        .max(50)
        .optional()
        .describe('Values for the variables of the template, by their names (often 1, 2, …)'),
      from: phoneNumber.optional().describe('A WhatsApp sender of the account, E.164; default set by the operator'),
      messagingServiceSid: messagingServiceSid.optional(),
      mediaUrls,
      sendAt,
    }),
    output: message,
    run: (args, context) => {
      if ((args.body === undefined) === (args.templateSid === undefined)) {
        throw new ToolError('invalid_arguments', 'exactly one of body and templateSid is needed: nothing was sent', {
          hint: 'Give templateSid unless the person wrote within the last 24 hours',
        });
      }
      return send(toolbox, 'whatsapp:', args, context);
    },
    reconcile: (args, context) => wasSent(toolbox, 'whatsapp:', args, context),
  });
}
