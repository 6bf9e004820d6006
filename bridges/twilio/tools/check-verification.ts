import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import { phoneNumber, verifyServiceSid } from '../schemas.ts';
import type { Toolbox } from './toolbox.ts';
import { verifyService } from './verify-service.ts';

const STATUSES = ['pending', 'approved', 'canceled', 'max_attempts_reached'] as const;

/** `check_verification` */
export function checkVerificationTool(toolbox: Toolbox): DefinedTool {
  return defineTool({
    name: 'check_verification',
    title: 'Check a one-time code',
    description:
      'Checks the code that a person typed against the one start_verification sent. A right code is used up: checking it again answers verification_not_found. Five wrong ' +
      'ones end the verification. Never guess codes, and never ask for one without a start_verification before.',
    effect: 'write',
    destructive: false,
    input: z.object({
      to: phoneNumber.describe('The number that start_verification was given'),
      code: z
        .string()
        .regex(/^\d{4,10}$/)
        .describe('The digits the person typed'),
      serviceSid: verifyServiceSid,
    }),
    output: z.object({
      approved: z.boolean().describe('True: the code is right and the number proven'),
      status: z.enum([...STATUSES, 'other']),
      verificationSid: z.string(),
    }),
    run: async ({ to, code, serviceSid }, context) => {
      const service = verifyService(toolbox, serviceSid);
      try {
        const { status, sid } = await toolbox.client.ask(context, 'verify', 'write', (sdk) =>
          sdk.verify.v2.services(service).verificationChecks.create({ to, code }),
        );
        return {
          approved: status === 'approved',
          status: STATUSES.find((known) => known === status) ?? ('other' as const),
          verificationSid: sid,
        };
      } catch (thrown) {
        if (!(thrown instanceof ToolError) || thrown.code !== 'not_found') throw thrown;
        throw new ToolError('verification_not_found', 'no code is pending for this number', {
          hint: 'It expired (10 minutes), was used, or had five wrong tries: start_verification sends a new one',
          ...(thrown.details === undefined ? {} : { details: thrown.details }),
        });
      }
    },
  });
}
