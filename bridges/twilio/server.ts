import { serve } from '../../core/server-kit/serve.ts';
import { TwilioClient } from './client.ts';
import { KnownSends } from './known-sends.ts';
import { readSettings } from './settings.ts';
import { cancelScheduledMessageTool } from './tools/cancel-scheduled-message.ts';
import { checkVerificationTool } from './tools/check-verification.ts';
import { getBalanceTool } from './tools/get-balance.ts';
import { getMessageTool } from './tools/get-message.ts';
import { listMessageTemplatesTool } from './tools/list-message-templates.ts';
import { listMessagesTool } from './tools/list-messages.ts';
import { listMessagingServicesTool } from './tools/list-messaging-services.ts';
import { listPhoneNumbersTool } from './tools/list-phone-numbers.ts';
import { lookupPhoneTool } from './tools/lookup-phone.ts';
import { sendSmsTool } from './tools/send-sms.ts';
import { sendWhatsappTool } from './tools/send-whatsapp.ts';
import { startVerificationTool } from './tools/start-verification.ts';
import type { Toolbox } from './tools/toolbox.ts';

await serve(() => {
  const settings = readSettings();
  const toolbox: Toolbox = { settings, client: new TwilioClient(settings), known: new KnownSends() };
  return {
    name: 'twilio',
    version: '0.1.0',
    instructions:
      'SMS, WhatsApp and one-time codes through Twilio. Sending costs money and reaches people: one call is one message to one person. Check numbers with lookup_phone.',
    tools: [
      sendSmsTool(toolbox),
      sendWhatsappTool(toolbox),
      getMessageTool(toolbox),
      listMessagesTool(toolbox),
      cancelScheduledMessageTool(toolbox),
      lookupPhoneTool(toolbox),
      startVerificationTool(toolbox),
      checkVerificationTool(toolbox),
      listPhoneNumbersTool(toolbox),
      listMessagingServicesTool(toolbox),
      listMessageTemplatesTool(toolbox),
      getBalanceTool(toolbox),
    ],
  };
});
