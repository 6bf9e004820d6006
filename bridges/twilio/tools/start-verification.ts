import { type DefinedTool, defineTool, type Reconciliation } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { ToolContext } from '../../../core/server-kit/tool-context.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import { requireAllowed } from '../recipient-guard.ts';
import { recipient, timeOut, verifyServiceSid } from '../schemas.ts';
import { isoTime } from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';
import { verifyService } from './verify-service.ts';

const STATUSES = ['pending', 'approved', 'canceled', 'max_attempts_reached', 'deleted', 'failed', 'expired'] as const;
const CHANNELS = ['sms', 'whatsapp', 'call'] as const;
/** As long as a key is remembered. */
const WINDOW_MS = 24 * 3_600_000;

const input = z.object({
  to: recipient,
  channel: z.enum(CHANNELS).default('sms'),
  locale: z
    .string()
    .regex(/^[a-z]{2}(?:-[A-Z]{2})?$/)
    .optional()
    .describe("Language of the text, e.g. de; default by the number's country"),
  serviceSid: verifyServiceSid,
});

const output = z.object({
  verificationSid: z.string(),
  to: z.string(),
  channel: z.enum(CHANNELS),
  status: z.enum(STATUSES).describe('pending: the code waits for check_verification'),
  codesSent: z.number().int().describe('How often this code was sent; Twilio ends it at five'),
  startedAt: timeOut,
});

type Started = z.input<typeof output>;

/** A verification of Twilio's, as far as it is told. */
interface Found {
  readonly sid: string;
  readonly to: string;
  readonly status: string;
  readonly sendCodeAttempts: readonly unknown[] | null;
  readonly dateCreated: Date;
}

function started(found: Found, channel: Started['channel']): Started {
  return {
    verificationSid: found.sid,
    to: found.to,
    channel,
    status: STATUSES.find((known) => known === found.status) ?? 'pending',
    codesSent: found.sendCodeAttempts?.length ?? 1,
    startedAt: isoTime(found.dateCreated),
  };
}

/** Twilio keeps each sending of a code as an attempt, also after the verification itself is over. */
async function startedBefore(
  toolbox: Toolbox,
  args: z.output<typeof input>,
  context: ToolContext,
): Promise<Reconciliation<Started>> {
  const { client } = toolbox;
  const service = verifyService(toolbox, args.serviceSid);
  const { instances } = await client.ask(context, 'verify', 'read', (sdk) =>
    sdk.verify.v2.verificationAttempts.page({
      'channelData.to': args.to,
      channel: args.channel,
      verifyServiceSid: service,
      dateCreatedAfter: new Date(Date.now() - WINDOW_MS),
      pageSize: 20,
    }),
  );
  const [attempt] = instances;
  if (attempt === undefined || instances.length > 1) {
    // Never not_executed: nothing says how soon an attempt is listed, and another code under a new key harms nobody.
    const looked = `Twilio lists ${instances.length} codes sent to this number in the last 24 h; starting again under a new key sends the same code while one is pending`;
    return { found: 'unknown', looked };
  }
  try {
    const found = await client.ask(context, 'verify', 'read', (sdk) =>
      sdk.verify.v2.services(service).verifications(attempt.verificationSid).fetch(),
    );
    return { found: 'executed', result: started(found, args.channel) };
  } catch (thrown) {
    if (!(thrown instanceof ToolError) || thrown.code !== 'not_found') throw thrown;
    const status = attempt.conversionStatus === 'converted' ? 'approved' : 'expired';
    const { verificationSid: sid, dateCreated } = attempt;
    const over: Found = { sid, to: args.to, status, sendCodeAttempts: [attempt.sid], dateCreated };
    return { found: 'executed', result: started(over, args.channel) };
  }
}

/** `start_verification` */
export function startVerificationTool(toolbox: Toolbox): DefinedTool {
  const { client, settings } = toolbox;
  return defineTool({
    name: 'start_verification',
    title: 'Send a one-time code',
    description:
      'Sends a one-time code to a phone number, to prove that the person has it; Twilio makes the code, and nobody here sees it. Each sending costs money. While a code is ' +
      'pending (10 minutes) starting again sends the same code once more, at most five times. Then check_verification with what the person typed.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input,
    output,
    run: async ({ to, channel, locale, serviceSid }, context) => {
      const service = verifyService(toolbox, serviceSid);
      requireAllowed(to, settings.allowedCountries);
      const found = await client.ask(context, 'verify', 'write', (sdk) =>
        sdk.verify.v2
          .services(service)
          .verifications.create({ to, channel, ...(locale === undefined ? {} : { locale }) }),
      );
      return started(found, channel);
    },
    reconcile: (args, context) => startedBefore(toolbox, args, context),
  });
}
