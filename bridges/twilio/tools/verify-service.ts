import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { Toolbox } from './toolbox.ts';

/** The Verify service of a call. @throws ToolError `not_configured` */
export function verifyService({ settings }: Toolbox, given: string | undefined): string {
  const sid = given ?? settings.verifyServiceSid;
  if (sid !== undefined) return sid;
  throw new ToolError('not_configured', 'there is no Verify service to use: nothing was done', {
    hint: "Give serviceSid, or the operator sets TWILIO_VERIFY_SERVICE_SID (Twilio's console → Verify → Services)",
  });
}
