import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { DriveClient } from '../client.ts';
import { description, FILE_FIELDS, fileName, fileShape, folderId } from '../file-shape.ts';
import { createOnce, keyProperties, reconcileByKey } from '../keyed.ts';
import { MIME } from '../kinds.ts';

/** `create_folder` */
export function createFolderTool(drive: DriveClient): DefinedTool {
  return defineTool({
    name: 'create_folder',
    title: 'Create a folder',
    description:
      'Makes an empty folder. Drive allows several folders of the same name side by side: look with search_files first when one may be there already. ' +
      'Repeated with the same Idempotency-Key it gives the same folder.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input: z.object({
      name: fileName,
      folderId: folderId.optional().describe('Where it is made; default the top of the drive'),
      description: description.optional(),
    }),
    output: z.object(fileShape),
    run: ({ name, folderId: parent, description: note }, context) =>
      createOnce(
        drive,
        context,
        (id) =>
          drive.write(context, ({ files }, options) =>
            files.create(
              {
                requestBody: {
                  ...(id === undefined ? {} : { id }),
                  name,
                  mimeType: MIME.folder,
                  parents: [parent ?? drive.home],
                  ...(note === undefined ? {} : { description: note }),
                  ...keyProperties(context),
                },
                fields: FILE_FIELDS,
                supportsAllDrives: true,
              },
              options,
            ),
          ),
        { withId: true },
      ),
    reconcile: (_args, context) => reconcileByKey(drive, context),
  });
}
