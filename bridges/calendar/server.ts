import { serve } from '../../core/server-kit/serve.ts';
import { calendarApi } from './calendar-api.ts';
import { readSettings } from './settings.ts';
import { addAttendeesTool } from './tools/add-attendees.ts';
import { checkConflictsTool } from './tools/check-conflicts.ts';
import { createEventTool } from './tools/create-event.ts';
import { deleteEventTool } from './tools/delete-event.ts';
import { freeBusyTool } from './tools/free-busy.ts';
import { getEventTool } from './tools/get-event.ts';
import { listCalendarsTool } from './tools/list-calendars.ts';
import { listEventsTool } from './tools/list-events.ts';
import { moveEventTool } from './tools/move-event.ts';
import { respondToEventTool } from './tools/respond-to-event.ts';
import { searchEventsTool } from './tools/search-events.ts';
import { updateEventTool } from './tools/update-event.ts';

await serve(() => {
  const api = calendarApi(readSettings());
  return {
    name: 'calendar',
    version: '0.1.0',
    instructions:
      'Calendars at Google. list_calendars tells ids, list_events and search_events find events, check_conflicts says whether a time is free. ' +
      'No guest is ever mailed unless notifyGuests says so.',
    tools: [
      listCalendarsTool(api),
      listEventsTool(api),
      searchEventsTool(api),
      getEventTool(api),
      createEventTool(api),
      updateEventTool(api),
      moveEventTool(api),
      deleteEventTool(api),
      freeBusyTool(api),
      respondToEventTool(api),
      addAttendeesTool(api),
      checkConflictsTool(api),
    ],
  };
});
