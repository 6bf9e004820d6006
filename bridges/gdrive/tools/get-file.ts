import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { DriveClient } from '../client.ts';
import { FILE_FIELDS, fileId, fileShape, toFile } from '../file-shape.ts';

/** `get_file` */
export function getFileTool(drive: DriveClient): DefinedTool {
  return defineTool({
    name: 'get_file',
    title: 'Get a file',
    description:
      'Tells name, kind, folder, size, times and link of one file or folder, without its content; read_file gives the content.',
    effect: 'read',
    openWorld: true,
    input: z.object({ fileId }),
    output: z.object(fileShape),
    run: async ({ fileId: id }, context) =>
      toFile(
        await drive.read(context, ({ files }, options) =>
          files.get({ fileId: id, fields: FILE_FIELDS, supportsAllDrives: true }, options),
        ),
      ),
  });
}
