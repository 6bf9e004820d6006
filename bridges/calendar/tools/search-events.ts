import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { CalendarApi } from '../calendar-api.ts';
import { listInput, listOutput, listPage } from '../list-page.ts';

/** `search_events` */
export function searchEventsTool(api: CalendarApi): DefinedTool {
  return defineTool({
    name: 'search_events',
    title: 'Search events',
    description:
      'Finds events of one calendar by words in title, description, location, or name and address of guests and organizer, from now on unless timeMin says otherwise. ' +
      'All words must occur. Give timeMin to look into the past; list_events lists without words.',
    effect: 'read',
    input: z.object({ query: z.string().min(1).max(200).describe('Words, not a pattern'), ...listInput }),
    output: listOutput,
    run: ({ query, ...args }, context) => listPage(api, context, { ...args, q: query }),
  });
}
