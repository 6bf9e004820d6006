import type { Sandbox, SandboxOptions } from '../../core/manifest.ts';
import { SandboxServer } from '../../core/sandbox-kit/sandbox-server.ts';
import { listRoutes } from './stand-in/list-routes.ts';
import { lookupRoutes } from './stand-in/lookup-routes.ts';
import { messageRoutes } from './stand-in/message-routes.ts';
import { SEED } from './stand-in/seed.ts';
import { TwilioState } from './stand-in/twilio-state.ts';
import { unauthorized, vendorError } from './stand-in/vendor-answer.ts';
import { verifyRoutes } from './stand-in/verify-routes.ts';

/**
 * The stand-in of Twilio: messages, scheduling, lookups, one-time codes, numbers, services, templates and the balance of
 * one event planner's account, all of Twilio's hosts in one.
 */
export async function startSandbox({ port }: SandboxOptions): Promise<Sandbox> {
  const state = new TwilioState();
  const server = await SandboxServer.start(
    {
      name: 'twilio',
      routes: [...messageRoutes(state), ...listRoutes(state), ...lookupRoutes(), ...verifyRoutes(state)],
      authorize: unauthorized,
      errorAnswer: vendorError,
      reset: () => state.reset(),
      state: () => state.toJSON(),
    },
    port,
  );
  return {
    env: {
      TWILIO_ACCOUNT_SID: SEED.accountSid,
      TWILIO_API_KEY_SID: SEED.apiKeySid,
      TWILIO_API_KEY_SECRET: SEED.apiKeySecret,
      TWILIO_FROM: SEED.numbers.main,
      TWILIO_WHATSAPP_FROM: SEED.numbers.main,
      TWILIO_MESSAGING_SERVICE_SID: SEED.services.invitations,
      TWILIO_VERIFY_SERVICE_SID: SEED.verifyService,
      TWILIO_ALLOWED_COUNTRIES: 'DE,AT,CH,US',
      // What the stand-in took is in its list at once.
      TWILIO_RECONCILE_SETTLE_MS: '0',
      TWILIO_API_URL: server.url,
    },
    summary: `Twilio stand-in on ${server.url}, codes are always ${SEED.code}`,
    url: server.url,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
