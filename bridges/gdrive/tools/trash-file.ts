import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { DriveClient } from '../client.ts';
import { FILE_FIELDS, fileId, fileShape, toFile } from '../file-shape.ts';

/** `trash_file` */
export function trashFileTool(drive: DriveClient): DefinedTool {
  return defineTool({
    name: 'trash_file',
    title: 'Move a file to the trash',
    description:
      'Moves a file or folder, with all that lies in it, to the trash, from where people can restore it for 30 days. It never deletes anything for good. ' +
      'Trashing it twice is no error.',
    effect: 'idempotent',
    destructive: true,
    openWorld: true,
    input: z.object({ fileId }),
    output: z.object(fileShape),
    run: async ({ fileId: id }, context) =>
      toFile(
        await drive.set(context, ({ files }, options) =>
          files.update(
            { fileId: id, requestBody: { trashed: true }, fields: FILE_FIELDS, supportsAllDrives: true },
            options,
          ),
        ),
      ),
  });
}
