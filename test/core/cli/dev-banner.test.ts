import { expect, it } from 'vitest';
import { compileFleet } from '#core/config/compile-fleet.ts';
import type { BridgeManifest } from '#core/manifest.ts';
import { devBanner } from '../../../core/cli/dev-banner.ts';
import { request, stripeLike } from '../config/request.ts';

const manifest: BridgeManifest = {
  ...stripeLike,
  example: { tool: 'list_charges', arguments: { note: "it's" } },
};
const addresses = { url: 'http://0.0.0.0:3000', opsUrl: 'http://0.0.0.0:9464' };

async function banner(env: Readonly<Record<string, string>>, sandbox?: string) {
  const sandboxes = sandbox === undefined ? undefined : new Map([['stripe', {}]]);
  const { bridges } = await compileFleet(
    request(env, { names: ['stripe'], sandboxes, manifests: { stripe: async () => manifest } }),
  );
  const summaries = new Map(sandbox === undefined ? [] : [['stripe', sandbox]]);
  return devBanner({ addresses, bridges, manifests: new Map([['stripe', manifest]]), summaries });
}

it('a bridge against its stand-in is plainly said to be one, with what makes it real', async () => {
  const text = await banner({}, 'a small Stripe on 127.0.0.1:1');
  expect(text).toContain('stripe  SANDBOX  a small Stripe on 127.0.0.1:1\n');
  expect(text).toContain('SANDBOX is a stand-in on this machine');
  expect(text).toContain('such as STRIPE_SECRET_KEY for stripe');
  expect(await banner({ STRIPE_SECRET_KEY: 'sk' })).not.toContain('SANDBOX');
});

it('one command can be copied, quoted for a shell, at an address that can be called', async () => {
  expect(await banner({ STRIPE_SECRET_KEY: 'sk' })).toContain(
    `\ncurl -s http://127.0.0.1:3000/stripe/mcp/tools/list_charges -H 'content-type: application/json' -d '{"note":"it'\\''s"}'\n`,
  );
});

it('a bridge that cannot run offers no command', async () => {
  const text = await banner({});
  expect(text).toContain('stripe  not configured: set STRIPE_SECRET_KEY');
  expect(text).not.toContain('curl');
});
