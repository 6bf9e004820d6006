import { Readable } from 'node:stream';
import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { DriveClient } from '../client.ts';
import { contentInput, contentOf, wrong } from '../content.ts';
import { description, FILE_FIELDS, fileId, fileName, fileShape, toFile } from '../file-shape.ts';
import { exportFormat, isWorkspace, kindOf } from '../kinds.ts';
import { mimeType } from './mime-type.ts';

/** `update_file` */
export function updateFileTool(drive: DriveClient): DefinedTool {
  return defineTool({
    name: 'update_file',
    title: 'Update a file',
    description:
      'Changes the name, the description or the whole content of a file; what is not given stays. Content replaces everything that was there (Drive keeps the older version for ' +
      '30 days); a Google Doc takes Markdown, a Google Sheet CSV, both as text. Doing it twice ends the same. move_file changes the folder.',
    effect: 'idempotent',
    destructive: true,
    openWorld: true,
    input: z.object({
      fileId,
      name: fileName.optional(),
      description: description.optional().describe('An empty text removes it'),
      ...contentInput,
      mimeType: mimeType.optional().describe('Of the new content, where it changes; not for the formats of Google'),
    }),
    output: z.object(fileShape),
    run: async ({ fileId: id, name, description: note, text, base64, mimeType: type }, context) => {
      const bytes = contentOf({ text, base64 });
      if (name === undefined && note === undefined && bytes === undefined) {
        throw wrong('give name, description, text or base64: something to change');
      }
      if (type !== undefined && (bytes === undefined || isWorkspace(type))) {
        throw wrong('mimeType goes with new content, and is no format of Google');
      }
      const mediaType = bytes === undefined ? undefined : await mediaTypeOf(id, type, text !== undefined);
      return toFile(
        await drive.set(context, ({ files }, options) =>
          files.update(
            {
              fileId: id,
              requestBody: {
                ...(name === undefined ? {} : { name }),
                ...(note === undefined ? {} : { description: note }),
                ...(type === undefined ? {} : { mimeType: type }),
              },
              ...(bytes === undefined || mediaType === undefined
                ? {}
                : { media: { mimeType: mediaType, body: Readable.from([bytes]) } }),
              fields: FILE_FIELDS,
              supportsAllDrives: true,
            },
            options,
          ),
        ),
      );

      async function mediaTypeOf(of: string, given: string | undefined, isText: boolean): Promise<string> {
        const { mimeType: current = '' } = await drive.read(context, ({ files }, options) =>
          files.get({ fileId: of, fields: 'mimeType', supportsAllDrives: true }, options),
        );
        if (current === null || !isWorkspace(current)) return given ?? current ?? 'application/octet-stream';
        const source = exportFormat(current);
        if (source === undefined || source.format === 'text' || given !== undefined || !isText) {
          throw new ToolError('not_writable', `the content of a ${kindOf(current)} cannot be replaced like that`, {
            hint: 'A Google Doc takes Markdown and a Google Sheet CSV, given as text without mimeType',
          });
        }
        return source.mimeType;
      }
    },
  });
}
