import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { instant, z } from '../../../core/server-kit/schema.ts';
import type { DriveClient } from '../client.ts';
import { FILE_FIELDS, fileShape, folderId, toFile } from '../file-shape.ts';
import { SEARCH_KINDS } from '../kinds.ts';
import { searchQuery } from '../query.ts';

/** `search_files` */
export function searchFilesTool(drive: DriveClient): DefinedTool {
  return defineTool({
    name: 'search_files',
    title: 'Search files',
    description:
      'Finds files and folders by name, content, kind, folder and time; all conditions must hold. With folderId alone it lists a folder (not what lies in its subfolders). ' +
      'Newest change first, except with fullText, where the best match comes first. A file made a moment ago may be missing for some minutes; get_file sees it at once.',
    effect: 'read',
    openWorld: true,
    input: z.object({
      nameContains: z.string().min(1).max(200).optional().describe('Beginnings of words in the name, in any case'),
      fullText: z.string().min(1).max(200).optional().describe('Words in name, description or content'),
      kind: z.enum(SEARCH_KINDS).optional(),
      folderId: folderId.optional(),
      modifiedSince: instant.optional().describe('ISO 8601 with zone: 2027-05-01T00:00:00Z'),
      trashed: z.boolean().default(false).describe('True looks in the trash instead'),
      limit: z.number().int().min(1).max(100).default(20),
      cursor: z.string().min(1).max(4_000).optional().describe('nextCursor of the page before, all else unchanged'),
    }),
    output: z.object({
      files: z.array(z.object(fileShape)),
      nextCursor: z.string().nullable().describe('Give it as cursor for the next page; null on the last one'),
    }),
    run: async ({ limit, cursor, ...terms }, context) => {
      const { files, nextPageToken } = await drive.read(context, (api, options) =>
        api.files.list(
          {
            q: searchQuery(terms),
            pageSize: limit,
            fields: `nextPageToken,files(${FILE_FIELDS})`,
            // Drive sorts a full text search by itself and takes no other order.
            ...(terms.fullText === undefined ? { orderBy: 'modifiedTime desc' } : {}),
            ...(cursor === undefined ? {} : { pageToken: cursor }),
            ...drive.corpus,
            includeItemsFromAllDrives: true,
            supportsAllDrives: true,
          },
          options,
        ),
      );
      return { files: (files ?? []).map(toFile), nextCursor: nextPageToken ?? null };
    },
  });
}
