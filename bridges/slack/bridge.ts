import type { BridgeManifest } from '../../core/manifest.ts';

const READ = { effect: 'read', deadlineMs: 15_000 } as const;
/** Sends something people see. Slack has no key of its own: the server looks for it before it sends. */
const SEND = {
  effect: 'write',
  deadlineMs: 20_000,
  idempotencyKey: 'optional',
  vendorKey: true,
  reconcile: true,
} as const;
/** Doing it twice ends the same, and the second time is told as such: no key and no record is needed. */
const SETTLE = { effect: 'idempotent', deadlineMs: 15_000, idempotencyKey: 'never' } as const;

/** Slack: messages, threads, reactions, channels and people of one workspace, as its bot. */
const slack: BridgeManifest = {
  name: 'slack',
  title: 'Slack',
  description: 'Posts, schedules and reads messages of a Slack workspace as its bot; a keyed message is sent once.',
  server: { module: new URL('./server.ts', import.meta.url) },
  environment: [
    {
      name: 'SLACK_BOT_TOKEN',
      required: true,
      secret: true,
      help: 'the Bot User OAuth Token (xoxb-…) of your Slack app: api.slack.com/apps → your app → OAuth & Permissions',
    },
    {
      name: 'SLACK_API_URL',
      required: false,
      secret: false,
      help: 'where a stand-in of Slack listens, https://slack.com/api/',
    },
  ],
  tools: {
    post_message: SEND,
    reply_in_thread: SEND,
    update_message: { ...SEND, effect: 'idempotent' },
    delete_message: SETTLE,
    schedule_message: SEND,
    list_scheduled_messages: READ,
    cancel_scheduled_message: SETTLE,
    add_reaction: SETTLE,
    list_channels: { ...READ, cacheTtlMs: 30_000 },
    find_channel: { ...READ, deadlineMs: 30_000, cacheTtlMs: 30_000 },
    channel_history: READ,
    thread_replies: READ,
    list_users: { ...READ, cacheTtlMs: 60_000 },
    lookup_user_by_email: { ...READ, cacheTtlMs: 60_000 },
    open_dm: SETTLE,
  },
  example: { tool: 'find_channel', arguments: { name: 'general' } },
  sandbox: async (options) => (await import('./sandbox.ts')).startSandbox(options),
};

export default slack;
