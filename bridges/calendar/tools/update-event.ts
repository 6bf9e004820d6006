import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { emailAddress, z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { CalendarApi } from '../calendar-api.ts';
import { changeEvent } from '../change-event.ts';
import { findEvent, isDeleted } from '../events.ts';
import { guestListError, sameAddress } from '../guest-list.ts';
import { hasChange } from '../key-marks.ts';
import {
  calendarIdOrOwn,
  description,
  eventId,
  eventTime,
  ifEtag,
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
  eventId,
  ifEtag,
  summary: title.optional().describe('New title'),
  start: eventTime.optional().describe('New start; only together with end'),
  end: eventTime.optional().describe('New end; only together with start'),
  timeZone: timeZone.optional().describe('Of the new start and end; IANA, such as Europe/Berlin'),
  description: description.nullable().optional().describe('null takes it away'),
  location: location.nullable().optional().describe('null takes it away'),
  status: status.optional(),
  showAs: showAs.optional(),
  visibility: visibility.optional(),
  removeAttendees: z.array(emailAddress).max(100).default([]).describe('Addresses of guests to take off the list'),
  notifyGuests,
});

type Input = z.output<typeof input>;

function wrong(message: string): ToolError {
  return new ToolError('invalid_arguments', message, {
    hint: 'Compare the arguments with the inputSchema of the tool',
    details: { errors: [{ pointer: '', message }] },
  });
}

function timesOf({ start, end, timeZone: zone }: Input): CalendarEvent {
  if (start === undefined && end === undefined) {
    if (zone !== undefined) throw wrong('timeZone goes with start and end');
    return {};
  }
  if (start === undefined || end === undefined) throw wrong('start and end go together');
  const span = spanOf({ start, end, timeZone: zone });
  // An event of days that gets times keeps its days unless they are taken away, and the other way round.
  const other = span.allDay ? { dateTime: null, timeZone: null } : { date: null };
  return { start: { ...other, ...span.start }, end: { ...other, ...span.end } };
}

/** What is to change, apart from the guests. @throws ToolError `invalid_arguments` */
function fieldsOf(args: Input): CalendarEvent {
  const { summary, status: newStatus, visibility: newVisibility } = args;
  return {
    ...timesOf(args),
    ...(summary === undefined ? {} : { summary }),
    ...(args.description === undefined ? {} : { description: args.description }),
    ...(args.location === undefined ? {} : { location: args.location }),
    ...(newStatus === undefined ? {} : { status: newStatus }),
    ...(args.showAs === undefined ? {} : { transparency: args.showAs === 'free' ? 'transparent' : 'opaque' }),
    ...(newVisibility === undefined ? {} : { visibility: newVisibility }),
  };
}

function patchOf(event: CalendarEvent, fields: CalendarEvent, removed: readonly string[]): CalendarEvent | undefined {
  const { attendees = [] } = event;
  const kept = attendees.filter(({ email: address }) => !removed.some((other) => sameAddress(address, other)));
  if (kept.length === attendees.length) return Object.keys(fields).length === 0 ? undefined : fields;
  if (event.attendeesOmitted === true) throw guestListError();
  return { ...fields, attendees: kept };
}

/** `update_event` */
export function updateEventTool(api: CalendarApi): DefinedTool {
  return defineTool({
    name: 'update_event',
    title: 'Change an event',
    description:
      'Changes what is given and leaves the rest: title, times (rescheduling), place, description, status, or guests taken off. The id of a series changes every occurrence, that of one occurrence only this one. ' +
      'Give ifEtag to change only the version that was looked at. Nobody is mailed unless notifyGuests asks for it. Guests are added with add_attendees, another calendar is given with move_event.',
    effect: 'write',
    openWorld: true,
    input,
    output: changedEvent,
    run: async (args, context) => {
      const { calendarId, eventId: id, removeAttendees } = args;
      const fields = fieldsOf(args);
      if (Object.keys(fields).length === 0 && removeAttendees.length === 0) throw wrong('there is nothing to change');
      const event = await changeEvent(api, context, {
        address: { calendarId, eventId: id },
        ifEtag: args.ifEtag,
        notifyGuests: args.notifyGuests,
        effect: 'write',
        patch: (current) => patchOf(current, fields, removeAttendees),
      });
      return { event: detailOf(event, calendarId) };
    },
    reconcile: async ({ calendarId, eventId: id }, context) => {
      const event = await findEvent(api, context, { calendarId, eventId: id });
      if (event === undefined) return { found: 'not_executed' };
      if (hasChange(event, context.idempotencyKey ?? '')) {
        return { found: 'executed', result: { event: detailOf(event, calendarId) } };
      }
      if (isDeleted(event)) {
        return { found: 'unknown', looked: 'the event was deleted since, and does not tell any more what was changed' };
      }
      // Every request carries If-Match. One that is still under way at Google could land after this look, but only while
      // the event is as that request saw it; the same key run again would then see its mark, or get 412 and see it: the
      // key is free without risk.
      return { found: 'not_executed' };
    },
  });
}
