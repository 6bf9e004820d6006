import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { ToolContext } from '../../../core/server-kit/tool-context.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { CalendarApi } from '../calendar-api.ts';
import { deletedError, findEvent, isDeleted, sendUpdatesOf } from '../events.ts';
import { attendeesOf, newGuests } from '../guest-list.ts';
import { creationMarks, creationOf, eventIdOf } from '../key-marks.ts';
import { recurrenceInput, rruleOf } from '../recurrence.ts';
import {
  calendarIdOrOwn,
  description,
  eventTime,
  guests,
  location,
  notifyGuests,
  showAs,
  status,
  timeZone,
  title,
  visibility,
} from '../schemas.ts';
import { type CalendarEvent, changedEvent, detailOf } from '../shapes.ts';
import { spanOf } from '../span.ts';

const input = z.object({
  calendarId: calendarIdOrOwn,
  summary: title.describe('Title'),
  start: eventTime,
  end: eventTime.describe('When it is over; of an all-day event the day after the last one'),
  timeZone: timeZone.optional(),
  description: description.optional(),
  location: location.optional(),
  attendees: guests.default([]).describe('Guests; nobody is mailed unless notifyGuests says so'),
  status: status.default('confirmed'),
  showAs: showAs.default('busy'),
  visibility: visibility.default('default'),
  recurrence: recurrenceInput.optional().describe('How it repeats; needs timeZone unless it is all-day'),
  notifyGuests,
});

type Input = z.output<typeof input>;

function bodyOf(args: Input): CalendarEvent {
  const { start, end, timeZone: zone, recurrence } = args;
  const span = spanOf({ start, end, timeZone: zone });
  return {
    summary: args.summary,
    start: span.start,
    end: span.end,
    status: args.status,
    transparency: args.showAs === 'free' ? 'transparent' : 'opaque',
    visibility: args.visibility,
    ...(args.description === undefined ? {} : { description: args.description }),
    ...(args.location === undefined ? {} : { location: args.location }),
    ...(args.attendees.length === 0 ? {} : { attendees: attendeesOf(newGuests({}, args.attendees)) }),
    ...(recurrence === undefined ? {} : { recurrence: [rruleOf(recurrence, span, zone)] }),
  };
}

/** The event that the key stands for, as this call would have answered. @throws ToolError where it is another one */
async function eventOfKey(
  api: CalendarApi,
  context: ToolContext,
  { calendarId, body }: { readonly calendarId: string; readonly body: CalendarEvent },
  key: string,
): Promise<CalendarEvent | undefined> {
  const event = await findEvent(api, context, { calendarId, eventId: eventIdOf(key) });
  if (event === undefined) return undefined;
  switch (creationOf(event, key, body)) {
    case 'same':
      return event;
    case 'other_body':
      throw new ToolError('key_reused', 'an event was created with this Idempotency-Key and other arguments', {
        hint: 'Use a key of its own for every event',
        details: { eventId: eventIdOf(key) },
      });
    case 'foreign':
      // A deleted event may be down to its id, and nobody else makes ids like this.
      if (isDeleted(event)) return event;
      throw new ToolError('id_taken', 'another event has the id that this Idempotency-Key stands for', {
        hint: 'Use another Idempotency-Key',
      });
  }
}

function goneError(): ToolError {
  const { code, hint } = deletedError();
  return new ToolError(code, 'the event was created with this Idempotency-Key and has been deleted or moved since', {
    ...(hint === undefined ? {} : { hint: `${hint}, with a new Idempotency-Key` }),
  });
}

/** `create_event` */
export function createEventTool(api: CalendarApi): DefinedTool {
  return defineTool({
    name: 'create_event',
    title: 'Create an event',
    description:
      'Creates one event, all-day or with times, single or repeated. Nobody is mailed unless notifyGuests asks for it; guests on Google Calendar see it there anyway, others learn of it by mail only. ' +
      'It never looks whether the time is free: check_conflicts does. With an Idempotency-Key it is created once, however often the call is repeated.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input,
    output: changedEvent,
    run: async (args, context) => {
      const { calendarId, notifyGuests: notify } = args;
      const key = context.idempotencyKey;
      const body = bodyOf(args);
      const requestBody =
        key === undefined
          ? body
          : { ...body, id: eventIdOf(key), extendedProperties: { private: creationMarks(key, body) } };
      try {
        const created = await api.ask('write', context, (calendar, options) =>
          calendar.events.insert({ calendarId, sendUpdates: sendUpdatesOf(notify), requestBody }, options),
        );
        return { event: detailOf(created, calendarId) };
      } catch (error) {
        if (key === undefined || !(error instanceof ToolError) || error.code !== 'conflict') throw error;
        const known = await eventOfKey(api, context, { calendarId, body }, key);
        if (known === undefined || isDeleted(known)) throw goneError();
        return { event: detailOf(known, calendarId) };
      }
    },
    reconcile: async (args, context) => {
      const { calendarId } = args;
      const wanted = { calendarId, body: bodyOf(args) };
      const event = await eventOfKey(api, context, wanted, context.idempotencyKey ?? '');
      if (event === undefined) {
        // An insert that is still under way at Google could land after this look. It would be this key's own event, and
        // the same key run again would meet it as a 409 and answer with it: the key is free without risk.
        return { found: 'not_executed' };
      }
      return { found: 'executed', result: { event: detailOf(event, calendarId) } };
    },
  });
}
