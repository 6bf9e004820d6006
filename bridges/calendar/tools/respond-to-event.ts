import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { CalendarApi } from '../calendar-api.ts';
import { changeEvent } from '../change-event.ts';
import { findEvent, isDeleted } from '../events.ts';
import { calendarIdOrOwn, eventId, ifEtag, notifyGuests } from '../schemas.ts';
import { type CalendarEvent, changedEvent, detailOf } from '../shapes.ts';

interface Answer {
  readonly response: 'accepted' | 'declined' | 'tentative';
  readonly comment?: string | undefined;
}

function selfOf({ attendees = [] }: CalendarEvent) {
  return attendees.find((attendee) => attendee.self === true);
}

function hasAnswered(event: CalendarEvent, { response, comment }: Answer): boolean {
  const self = selfOf(event);
  return self?.responseStatus === response && (comment === undefined || (self.comment ?? '') === comment);
}

function patchOf(event: CalendarEvent, answer: Answer): CalendarEvent | undefined {
  const email = selfOf(event)?.email;
  if (typeof email !== 'string') {
    throw new ToolError('not_invited', 'this calendar is no guest of the event', {
      hint: 'Answer from the calendar that was invited; get_event shows the guests',
    });
  }
  if (hasAnswered(event, answer)) return undefined;
  const { response, comment } = answer;
  // Said to be incomplete, the list changes this one answer and uninvites nobody.
  return {
    attendeesOmitted: true,
    attendees: [{ email, responseStatus: response, ...(comment === undefined ? {} : { comment }) }],
  };
}

/** `respond_to_event` */
export function respondToEventTool(api: CalendarApi): DefinedTool {
  return defineTool({
    name: 'respond_to_event',
    title: 'Answer an invitation',
    description:
      'Accepts, declines or tentatively accepts an event to which this calendar is invited, for itself only; it cannot answer for other guests. ' +
      'The answer shows on the event; nobody is mailed unless notifyGuests asks for it. Answering the same again changes nothing.',
    effect: 'idempotent',
    destructive: false,
    openWorld: true,
    input: z.object({
      calendarId: calendarIdOrOwn,
      eventId,
      response: z.enum(['accepted', 'declined', 'tentative']),
      comment: z.string().max(1_000).optional().describe('For the organizer'),
      ifEtag,
      notifyGuests,
    }),
    output: changedEvent,
    run: async ({ calendarId, eventId: id, ifEtag: etag, notifyGuests: notify, ...answer }, context) => {
      const event = await changeEvent(api, context, {
        address: { calendarId, eventId: id },
        ifEtag: etag,
        notifyGuests: notify,
        effect: 'idempotent',
        patch: (current) => patchOf(current, answer),
      });
      return { event: detailOf(event, calendarId) };
    },
    reconcile: async ({ calendarId, eventId: id, ...answer }, context) => {
      const event = await findEvent(api, context, { calendarId, eventId: id });
      if (event === undefined || isDeleted(event)) {
        return { found: 'unknown', looked: 'the event is not there any more' };
      }
      return hasAnswered(event, answer)
        ? { found: 'executed', result: { event: detailOf(event, calendarId) } }
        : // A request under way gives this same answer: giving it again changes nothing.
          { found: 'not_executed' };
    },
  });
}
