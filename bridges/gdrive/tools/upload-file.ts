import { Readable } from 'node:stream';
import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { DriveClient } from '../client.ts';
import { contentInput, contentOf, wrong } from '../content.ts';
import { description, FILE_FIELDS, fileName, fileShape, folderId } from '../file-shape.ts';
import { createOnce, keyProperties, reconcileByKey } from '../keyed.ts';
import { isWorkspace } from '../kinds.ts';
import { mimeType } from './mime-type.ts';

/** `upload_file` */
export function uploadFileTool(drive: DriveClient): DefinedTool {
  return defineTool({
    name: 'upload_file',
    title: 'Upload a file',
    description:
      'Makes a new file of the content given inline, as text or base64, at most 5 MB; it is kept byte by byte. It never reads a path or an address. ' +
      'For a Google Doc or Sheet use create_document; to replace the content of a file use update_file. Repeated with the same Idempotency-Key it gives the same file.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input: z.object({
      name: fileName,
      mimeType,
      ...contentInput,
      folderId: folderId.optional().describe('Where it is made; default the top of the drive'),
      description: description.optional(),
    }),
    output: z.object(fileShape),
    run: async ({ name, mimeType: type, text, base64, folderId: parent, description: note }, context) => {
      const bytes = contentOf({ text, base64 });
      if (bytes === undefined) throw wrong('give the content as text or base64');
      if (isWorkspace(type)) throw wrong('the formats of Google are made by create_document and create_folder');
      return createOnce(
        drive,
        context,
        (id) =>
          drive.write(context, ({ files }, options) =>
            files.create(
              {
                requestBody: {
                  ...(id === undefined ? {} : { id }),
                  name,
                  mimeType: type,
                  parents: [parent ?? drive.home],
                  ...(note === undefined ? {} : { description: note }),
                  ...keyProperties(context),
                },
                media: { mimeType: type, body: Readable.from([bytes]) },
                fields: FILE_FIELDS,
                supportsAllDrives: true,
              },
              options,
            ),
          ),
        { withId: true },
      );
    },
    reconcile: (_args, context) => reconcileByKey(drive, context),
  });
}
