import type { Readable } from 'node:stream';
import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { ToolContext } from '../../../core/server-kit/tool-context.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { DriveClient } from '../client.ts';
import { type ReadText, readText } from '../content.ts';
import { fileId } from '../file-shape.ts';
import { exportFormat, isText, kindOf, READ_FORMATS } from '../kinds.ts';

const DEFAULT_BYTES = 100_000;
const MAX_BYTES = 1_000_000;

/** `read_file` */
export function readFileTool(drive: DriveClient): DefinedTool {
  return defineTool({
    name: 'read_file',
    title: 'Read a file',
    description:
      'Gives the content of a file as text: documents as Markdown, spreadsheets as CSV (their first sheet only), presentations and text files as they are. ' +
      'Reads from the beginning, at most maxBytes; truncated says that there is more. Images, PDF and other binary files are not read (not_readable); get_file has their link.',
    effect: 'read',
    openWorld: true,
    input: z.object({
      fileId,
      maxBytes: z.number().int().min(1).max(MAX_BYTES).default(DEFAULT_BYTES),
    }),
    output: z.object({
      id: z.string(),
      name: z.string(),
      mimeType: z.string(),
      format: z.enum(READ_FORMATS),
      text: z.string(),
      bytes: z.number().int().describe('Length of text as UTF-8'),
      truncated: z.boolean(),
      modifiedAt: z.string().nullable().describe('ISO 8601, UTC'),
    }),
    run: async ({ fileId: id, maxBytes }, context) => {
      const file = await drive.read(context, ({ files }, options) =>
        files.get({ fileId: id, fields: 'id,name,mimeType,modifiedTime', supportsAllDrives: true }, options),
      );
      const mimeType = file.mimeType ?? '';
      const exported = exportFormat(mimeType);
      if (exported === undefined && !isText(mimeType)) {
        throw new ToolError(
          'not_readable',
          `a file of the kind ${kindOf(mimeType)} (${mimeType}) is not read as text`,
          {
            hint: 'get_file gives a link that opens it in a browser',
          },
        );
      }
      const content = await (exported === undefined
        ? download(drive, context, id, maxBytes)
        : exportAs(drive, context, id, exported.mimeType, maxBytes));
      return {
        id,
        name: file.name ?? '',
        mimeType,
        format: exported?.format ?? 'text',
        ...content,
        modifiedAt: file.modifiedTime ?? null,
      };
    },
  });
}

function download(drive: DriveClient, context: ToolContext, id: string, maxBytes: number): Promise<ReadText> {
  return drive.read(context, async ({ files }, options) => {
    const { data, headers } = await files.get(
      { fileId: id, alt: 'media', supportsAllDrives: true },
      { ...options, responseType: 'stream' },
    );
    return { data: await readText(data as Readable, maxBytes), headers };
  });
}

function exportAs(
  drive: DriveClient,
  context: ToolContext,
  id: string,
  mimeType: string,
  maxBytes: number,
): Promise<ReadText> {
  return drive.read(context, async ({ files }, options) => {
    const { data, headers } = await files.export({ fileId: id, mimeType }, { ...options, responseType: 'stream' });
    return { data: await readText(data as Readable, maxBytes), headers };
  });
}
