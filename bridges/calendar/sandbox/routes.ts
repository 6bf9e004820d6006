import type { PathParams, Route, SandboxAnswer, SandboxRequest } from '../../../core/sandbox-kit/sandbox-request.ts';
import { freeBusy, listEvents, listInstances, paged } from './event-lists.ts';
import { deleteEvent, insertEvent, moveEvent, patchEvent, replaceEvent, type Write } from './event-writes.ts';
import { Refusal, required } from './refusal.ts';
import { allows, type Calendar, type Event, type Role, type World } from './world.ts';

const BASE = '/calendar/v3';
const EVENTS = `${BASE}/calendars/:calendarId/events`;
const EVENT = `${EVENTS}/:eventId`;

function entryOf({ accessRole, primary, hidden, ...calendar }: Calendar) {
  return {
    kind: 'calendar#calendarListEntry',
    etag: `"${calendar.id.length}00"`,
    ...calendar,
    colorId: '14',
    selected: true,
    accessRole,
    defaultReminders: [],
    ...(primary ? { primary } : {}),
    ...(hidden ? { hidden } : {}),
  };
}

function bodyOf(request: SandboxRequest): Record<string, unknown> {
  try {
    return request.json() as Record<string, unknown>;
  } catch {
    throw new Refusal(400, 'parseError', 'Parse Error');
  }
}

/** The addresses of the Calendar API, version 3, over a world. `url` tells where the stand-in listens. */
export function calendarRoutes(world: World, url: () => string): readonly Route[] {
  const route = (
    method: string,
    path: string,
    work: (request: SandboxRequest, params: PathParams) => unknown,
  ): Route => ({
    method,
    path,
    answer: (request, params): SandboxAnswer => {
      try {
        const body = work(request, params);
        return body === undefined ? { status: 204 } : { status: 200, body };
      } catch (error) {
        if (error instanceof Refusal) return error.answer;
        throw error;
      }
    },
  });
  const calendarOf = ({ calendarId = '' }: PathParams, wanted: Role) => world.calendar(calendarId, wanted);
  const writeOf = (request: SandboxRequest, params: PathParams): Write => ({
    calendar: calendarOf(params, 'writer'),
    ifMatch: request.headers['if-match'],
    sendUpdates:
      request.query.get('sendUpdates') ?? (request.query.get('sendNotifications') === 'true' ? 'all' : 'none'),
    url: url(),
  });

  return [
    route('GET', `${BASE}/users/me/calendarList`, ({ query }) => {
      const wanted = query.get('minAccessRole');
      const all = [...world.calendars.values()]
        .filter((calendar) => calendar.hidden !== true || query.get('showHidden') === 'true')
        .filter((calendar) => wanted === null || allows(calendar.accessRole, wanted as Role));
      const { items, nextPageToken } = paged(all, query, 100, 250);
      return {
        kind: 'calendar#calendarList',
        etag: `"p${all.length}"`,
        ...(nextPageToken === undefined ? { nextSyncToken: 'sync' } : { nextPageToken }),
        items: items.map(entryOf),
      };
    }),
    route('GET', `${BASE}/calendars/:calendarId`, (_, params) => {
      const { id, summary, description, timeZone } = calendarOf(params, 'freeBusyReader');
      return { kind: 'calendar#calendar', etag: `"${id.length}00"`, id, summary, description, timeZone };
    }),
    route('POST', `${BASE}/freeBusy`, (request) => freeBusy(world, bodyOf(request))),
    route('GET', EVENTS, ({ query }, params) => listEvents(world, calendarOf(params, 'reader'), query)),
    route('POST', EVENTS, (request, params) => insertEvent(world, writeOf(request, params), bodyOf(request) as Event)),
    route('GET', `${EVENT}/instances`, ({ query }, params) =>
      listInstances(world, calendarOf(params, 'reader'), params.eventId ?? '', query),
    ),
    route('POST', `${EVENT}/move`, (request, params) => {
      const destination = request.query.get('destination');
      if (destination === null) throw required('Required parameter: destination');
      return moveEvent(world, writeOf(request, params), params.eventId ?? '', world.calendar(destination, 'writer'));
    }),
    route('GET', EVENT, (_, params) => world.get(calendarOf(params, 'reader'), params.eventId ?? '')),
    route('PATCH', EVENT, (request, params) =>
      patchEvent(world, writeOf(request, params), params.eventId ?? '', bodyOf(request) as Event),
    ),
    route('PUT', EVENT, (request, params) =>
      replaceEvent(world, writeOf(request, params), params.eventId ?? '', bodyOf(request) as Event),
    ),
    route('DELETE', EVENT, (request, params) => deleteEvent(world, writeOf(request, params), params.eventId ?? '')),
  ];
}
