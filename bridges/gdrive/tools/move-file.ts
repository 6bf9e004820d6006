import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { DriveClient } from '../client.ts';
import { FILE_FIELDS, fileId, fileShape, folderId, toFile } from '../file-shape.ts';

/** `move_file` */
export function moveFileTool(drive: DriveClient): DefinedTool {
  return defineTool({
    name: 'move_file',
    title: 'Move a file',
    description:
      'Puts a file or folder into another folder, with all that lies in it. Access that came with the old folder ends, and access to the new one begins. ' +
      'Moving it where it is already changes nothing.',
    effect: 'idempotent',
    destructive: false,
    openWorld: true,
    input: z.object({ fileId, folderId: folderId.describe('Where it goes; root is the top of My Drive') }),
    output: z.object(fileShape),
    run: async ({ fileId: id, folderId: to }, context) => {
      const { parents } = await drive.read(context, ({ files }, options) =>
        files.get({ fileId: id, fields: 'parents', supportsAllDrives: true }, options),
      );
      const leaving = (parents ?? []).filter((parent) => parent !== to);
      return toFile(
        await drive.set(context, ({ files }, options) =>
          files.update(
            {
              fileId: id,
              addParents: to,
              ...(leaving.length === 0 ? {} : { removeParents: leaving.join(',') }),
              requestBody: {},
              fields: FILE_FIELDS,
              supportsAllDrives: true,
            },
            options,
          ),
        ),
      );
    },
  });
}
