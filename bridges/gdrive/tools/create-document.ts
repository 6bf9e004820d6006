import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { DriveClient } from '../client.ts';
import { MAX_CONTENT_BYTES, wrong } from '../content.ts';
import { description, FILE_FIELDS, fileName, fileShape, folderId } from '../file-shape.ts';
import { createOnce, keyProperties, reconcileByKey } from '../keyed.ts';
import { MIME } from '../kinds.ts';

/** What Drive turns into a document of each kind. */
const SOURCE = { document: 'text/markdown', spreadsheet: 'text/csv', presentation: undefined } as const;

/** `create_document` */
export function createDocumentTool(drive: DriveClient): DefinedTool {
  return defineTool({
    name: 'create_document',
    title: 'Create a document',
    description:
      'Makes a Google Doc out of Markdown, a Google Sheet out of CSV, or an empty one of either or of Slides. People can then edit it together in a browser; ' +
      'for a file that shall stay as it is use upload_file. Repeated with the same Idempotency-Key it gives the same document.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input: z.object({
      kind: z.enum(['document', 'spreadsheet', 'presentation']).default('document'),
      name: fileName,
      content: z
        .string()
        .min(1)
        .max(MAX_CONTENT_BYTES)
        .optional()
        .describe('Markdown for a document, CSV for a spreadsheet; a presentation is made empty'),
      folderId: folderId.optional().describe('Where it is made; default the top of the drive'),
      description: description.optional(),
    }),
    output: z.object(fileShape),
    run: async ({ kind, name, content, folderId: parent, description: note }, context) => {
      const mimeType = SOURCE[kind];
      if (content !== undefined && mimeType === undefined) throw wrong('a presentation takes no content');
      return createOnce(
        drive,
        context,
        () =>
          drive.write(context, ({ files }, options) =>
            files.create(
              {
                requestBody: {
                  name,
                  mimeType: MIME[kind],
                  parents: [parent ?? drive.home],
                  ...(note === undefined ? {} : { description: note }),
                  ...keyProperties(context),
                },
                ...(content === undefined || mimeType === undefined ? {} : { media: { mimeType, body: content } }),
                fields: FILE_FIELDS,
                supportsAllDrives: true,
              },
              options,
            ),
          ),
        // Drive makes nothing in a format of its own under an id that was given.
        { withId: false },
      );
    },
    reconcile: (_args, context) => reconcileByKey(drive, context),
  });
}
