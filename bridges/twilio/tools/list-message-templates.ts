import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { nextCursorOf, pageStart } from '../pages.ts';
import { cursor, limit, nextCursor } from '../schemas.ts';
import { textOrNull } from '../shapes.ts';
import type { Toolbox } from './toolbox.ts';

const APPROVALS = ['approved', 'pending', 'rejected', 'paused', 'disabled', 'unsubmitted', 'other'] as const;

function bodyOf(types: Readonly<Record<string, object>> | null | undefined): string | null {
  for (const content of Object.values(types ?? {})) {
    if ('body' in content && typeof content.body === 'string') return content.body;
  }
  return null;
}

function said(request: object | null | undefined, member: string): string | null {
  const value = (request as Readonly<Record<string, unknown>> | null | undefined)?.[member];
  return typeof value === 'string' ? textOrNull(value) : null;
}

/** `list_message_templates` */
export function listMessageTemplatesTool({ client }: Toolbox): DefinedTool {
  return defineTool({
    name: 'list_message_templates',
    title: 'List message templates',
    description:
      'The templates of the account for templateSid of send_whatsapp, with their variables and whether WhatsApp approved them. Only approved ones can be sent to ' +
      'somebody who has not written within 24 hours. Changes nothing.',
    effect: 'read',
    input: z.object({ limit, cursor }),
    output: z.object({
      templates: z.array(
        z.object({
          sid: z.string(),
          name: z.string(),
          language: z.string(),
          body: z.string().nullable().describe('Its text, with variables as {{1}}'),
          variables: z.array(z.object({ name: z.string(), example: z.string() })),
          approval: z.enum(APPROVALS),
          rejectionReason: z.string().nullable(),
          category: z.string().nullable().describe('MARKETING, UTILITY or AUTHENTICATION'),
        }),
      ),
      nextCursor,
    }),
    run: async ({ limit: pageSize, cursor: at }, context) => {
      const start = pageStart(pageSize, at, {});
      const page = await client.ask(context, 'content', 'read', (sdk) =>
        sdk.content.v1.contentAndApprovals.page(start),
      );
      const templates = page.instances.map(({ sid, friendlyName, language, types, variables, approvalRequests }) => {
        const status = said(approvalRequests, 'status');
        return {
          sid,
          name: friendlyName ?? '',
          language: language ?? '',
          body: bodyOf(types),
          variables: Object.entries(variables ?? {}).map(([name, example]) => ({ name, example: String(example) })),
          approval: APPROVALS.find((known) => known === status) ?? 'other',
          rejectionReason: said(approvalRequests, 'rejection_reason'),
          category: said(approvalRequests, 'category'),
        };
      });
      return { templates, nextCursor: nextCursorOf(page.nextPageUrl, {}) };
    },
  });
}
