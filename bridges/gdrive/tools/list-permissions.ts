import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { z } from '../../../core/server-kit/schema.ts';
import type { DriveClient } from '../client.ts';
import { fileId } from '../file-shape.ts';
import { PERMISSION_FIELDS, permissionShape, toPermission } from '../permission-shape.ts';

/** `list_permissions` */
export function listPermissionsTool(drive: DriveClient): DefinedTool {
  return defineTool({
    name: 'list_permissions',
    title: 'List who has access',
    description:
      'Tells who has access to a file or folder and with which role, also where the access comes from a folder above. Needs the right to share the file.',
    effect: 'read',
    openWorld: true,
    input: z.object({
      fileId,
      limit: z.number().int().min(1).max(100).default(20),
      cursor: z.string().min(1).max(4_000).optional().describe('nextCursor of the page before'),
    }),
    output: z.object({
      permissions: z.array(z.object(permissionShape)),
      nextCursor: z.string().nullable().describe('Give it as cursor for the next page; null on the last one'),
    }),
    run: async ({ fileId: id, limit, cursor }, context) => {
      const { permissions, nextPageToken } = await drive.read(context, (api, options) =>
        api.permissions.list(
          {
            fileId: id,
            pageSize: limit,
            fields: `nextPageToken,permissions(${PERMISSION_FIELDS})`,
            ...(cursor === undefined ? {} : { pageToken: cursor }),
            supportsAllDrives: true,
          },
          options,
        ),
      );
      return { permissions: (permissions ?? []).map(toPermission), nextCursor: nextPageToken ?? null };
    },
  });
}
