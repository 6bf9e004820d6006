import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { CalendarApi } from '../calendar-api.ts';
import { listInput, listOutput, listPage } from '../list-page.ts';

/** `list_events` */
export function listEventsTool(api: CalendarApi): DefinedTool {
  return defineTool({
    name: 'list_events',
    title: 'List events',
    description:
      'Lists the events of one calendar in the order of their start, from now on unless timeMin says otherwise; each occurrence of a repeated event by itself. ' +
      'Guests are counted, not named: get_event names them. To look for words use search_events, for busy times of several calendars free_busy.',
    effect: 'read',
    input: z.object(listInput),
    output: listOutput,
    run: (args, context) => listPage(api, context, args),
  });
}
