import type { BridgeManifest } from '../../core/manifest.ts';
import { googleEnvironment, googleSignIn } from '../google/credentials.ts';
import { API_URL_HELP } from './settings.ts';

const READ = { effect: 'read', deadlineMs: 10_000 } as const;
/** With a key the vendor runs it once: an event id of the key's own, or a mark that is sent with If-Match. */
const WRITE = {
  effect: 'write',
  deadlineMs: 20_000,
  idempotencyKey: 'optional',
  vendorKey: true,
  reconcile: true,
} as const;
const REPEATABLE = { ...WRITE, effect: 'idempotent' } as const;

/** Google Calendar: events, guests and busy times, for the planner's backend. */
const calendar: BridgeManifest = {
  name: 'calendar',
  title: 'Google Calendar',
  description: 'Reads and changes events of Google calendars, and mails guests only when asked to.',
  server: { module: new URL('./server.ts', import.meta.url) },
  environment: [
    ...googleEnvironment,
    { name: 'GOOGLE_CALENDAR_API_URL', required: false, secret: false, help: API_URL_HELP },
  ],
  signIn: googleSignIn,
  tools: {
    list_calendars: { ...READ, cacheTtlMs: 60_000 },
    list_events: READ,
    search_events: READ,
    get_event: READ,
    create_event: WRITE,
    update_event: WRITE,
    move_event: REPEATABLE,
    delete_event: REPEATABLE,
    free_busy: READ,
    respond_to_event: REPEATABLE,
    add_attendees: REPEATABLE,
    check_conflicts: READ,
  },
  example: { tool: 'list_events', arguments: { limit: 3 } },
  sandbox: async (options) => (await import('./sandbox.ts')).startSandbox(options),
};

export default calendar;
