import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { DriveClient } from '../client.ts';
import { FILE_FIELDS, fileId, fileName, fileShape, folderId } from '../file-shape.ts';
import { copyProperties, createOnce, reconcileByKey } from '../keyed.ts';

/** `copy_file` */
export function copyFileTool(drive: DriveClient): DefinedTool {
  return defineTool({
    name: 'copy_file',
    title: 'Copy a file',
    description:
      'Makes a copy of a file, for example of a template; who had access to the original has none to the copy. Folders cannot be copied. ' +
      'Repeated with the same Idempotency-Key it gives the same copy.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input: z.object({
      fileId,
      name: fileName.optional().describe('Name of the copy; default "Copy of …"'),
      folderId: folderId.optional().describe('Where the copy is made; default beside the original'),
    }),
    output: z.object(fileShape),
    run: ({ fileId: id, name, folderId: parent }, context) =>
      createOnce(
        drive,
        context,
        () =>
          drive.write(context, ({ files }, options) =>
            files.copy(
              {
                fileId: id,
                requestBody: {
                  ...(name === undefined ? {} : { name }),
                  ...(parent === undefined ? {} : { parents: [parent] }),
                  ...copyProperties(context),
                },
                fields: FILE_FIELDS,
                supportsAllDrives: true,
              },
              options,
            ),
          ),
        // The original may be in a format of Google's own, which takes no id.
        { withId: false },
      ),
    reconcile: (_args, context) => reconcileByKey(drive, context),
  });
}
