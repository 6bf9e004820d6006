import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { CalendarApi } from '../calendar-api.ts';
import { getEvent } from '../events.ts';
import { calendarIdOrOwn, eventId } from '../schemas.ts';
import { changedEvent, detailOf } from '../shapes.ts';

/** `get_event` */
export function getEventTool(api: CalendarApi): DefinedTool {
  return defineTool({
    name: 'get_event',
    title: 'Get an event',
    description:
      'Everything about one event: description, guests with their answers, how it repeats, and the etag to change just this version of it. ' +
      'An event that was deleted lately is shown with the status cancelled.',
    effect: 'read',
    input: z.object({ calendarId: calendarIdOrOwn, eventId }),
    output: changedEvent,
    run: async (address, context) => ({
      event: detailOf(await getEvent(api, context, address), address.calendarId),
    }),
  });
}
