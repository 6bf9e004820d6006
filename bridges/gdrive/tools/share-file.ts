import { type DefinedTool, defineTool } from '../../../core/server-kit/define-tool.ts';
import { emailAddress, z } from '../../../core/server-kit/schema.ts';
import type { ToolContext } from '../../../core/server-kit/tool-context.ts';
import { ToolError } from '../../../core/server-kit/tool-error.ts';
import type { DriveClient } from '../client.ts';
import { wrong } from '../content.ts';
import { fileId } from '../file-shape.ts';
import { PERMISSION_FIELDS, type PermissionOutput, permissionShape, toPermission } from '../permission-shape.ts';

/** A file with more permissions than this is not looked through. */
const MAX_PAGES = 10;
const PAGE_SIZE = 100;

const DOMAIN = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/;

const input = z.object({
  fileId,
  type: z
    .enum(['user', 'group', 'domain', 'anyone'])
    .default('user')
    .describe('Whom it is shared with; anyone is everybody who has the link, where the operator allows that'),
  email: emailAddress.optional().describe('Of the user or group'),
  domain: z
    .string()
    .max(253)
    .refine((text) => DOMAIN.test(text), 'must be a domain in lower case')
    .optional()
    .describe('For type domain: everybody of that Workspace domain, e.g. example.com'),
  role: z.enum(['reader', 'commenter', 'writer']),
  notify: z.boolean().default(false).describe('True lets Google send an e-mail to the user or group'),
  message: z.string().min(1).max(2_000).optional().describe('Text of that e-mail; only with notify'),
});
type Share = z.output<typeof input>;

function checked(share: Share, drive: DriveClient): Share {
  const { type, email, domain, notify, message } = share;
  const person = type === 'user' || type === 'group';
  if (person !== (email !== undefined)) throw wrong('email goes with type user or group, and is needed there');
  if ((type === 'domain') !== (domain !== undefined)) throw wrong('domain goes with type domain, and is needed there');
  if (notify && !person) throw wrong('only a user or a group can be notified');
  if (message !== undefined && !notify) throw wrong('message is sent only with notify: true');
  if (type === 'anyone' && !drive.settings.allowPublicLinks) {
    throw new ToolError('public_links_disabled', 'this server does not open files to everybody', {
      hint: 'Share it with people, groups or a domain; the operator may set GDRIVE_ALLOW_PUBLIC_LINKS',
    });
  }
  return share;
}

function concerns(permission: PermissionOutput, { type, email, domain }: Share): boolean {
  if (permission.type !== type) return false;
  if (type === 'anyone') return true;
  return type === 'domain' ? permission.domain === domain : permission.email?.toLowerCase() === email?.toLowerCase();
}

/** The permission of those it shall be shared with, whatever its role. */
async function findPermission(
  drive: DriveClient,
  context: ToolContext,
  share: Share,
): Promise<PermissionOutput | undefined> {
  let pageToken: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const { permissions, nextPageToken } = await drive.read(context, (api, options) =>
      api.permissions.list(
        {
          fileId: share.fileId,
          pageSize: PAGE_SIZE,
          fields: `nextPageToken,permissions(${PERMISSION_FIELDS})`,
          ...(pageToken === undefined ? {} : { pageToken }),
          supportsAllDrives: true,
        },
        options,
      ),
    );
    const found = (permissions ?? []).map(toPermission).find((permission) => concerns(permission, share));
    if (found !== undefined || !nextPageToken) return found;
    pageToken = nextPageToken;
  }
  throw new ToolError('too_many_permissions', `the file has more than ${MAX_PAGES * PAGE_SIZE} permissions`, {
    hint: 'Share its folder, or a group, instead of single people',
  });
}

function create(drive: DriveClient, context: ToolContext, share: Share) {
  const { fileId: id, type, email, domain, role, notify, message } = share;
  const person = type === 'user' || type === 'group';
  return drive.write(context, ({ permissions }, options) =>
    permissions.create(
      {
        fileId: id,
        requestBody: {
          type,
          role,
          ...(email === undefined ? {} : { emailAddress: email }),
          ...(domain === undefined ? {} : { domain }),
        },
        ...(person ? { sendNotificationEmail: notify } : {}),
        ...(message === undefined ? {} : { emailMessage: message }),
        fields: PERMISSION_FIELDS,
        supportsAllDrives: true,
      },
      options,
    ),
  );
}

function change(drive: DriveClient, context: ToolContext, share: Share, permissionId: string) {
  return drive.set(context, ({ permissions }, options) =>
    permissions.update(
      {
        fileId: share.fileId,
        permissionId,
        requestBody: { role: share.role },
        fields: PERMISSION_FIELDS,
        supportsAllDrives: true,
      },
      options,
    ),
  );
}

/** `share_file` */
export function shareFileTool(drive: DriveClient): DefinedTool {
  return defineTool({
    name: 'share_file',
    title: 'Share a file',
    description:
      'Gives a person, a group or a domain access to a file or folder, or sets the role they have there; who has that role already keeps it and gets no e-mail. ' +
      'No e-mail is sent unless notify is true (people without a Google account cannot be given access without one). Never changes the owner and never takes access away.',
    effect: 'write',
    destructive: false,
    openWorld: true,
    input,
    output: z.object({
      fileId: z.string(),
      permission: z.object(permissionShape),
      notified: z.boolean().describe('Whether Google was asked to send an e-mail'),
    }),
    run: async (args, context) => {
      const share = checked(args, drive);
      const existing = await findPermission(drive, context, share);
      if (existing?.role === 'owner') {
        throw new ToolError('is_owner', 'the owner has every right already', { hint: 'Share it with somebody else' });
      }
      if (existing !== undefined) {
        const permission =
          existing.role === share.role ? existing : toPermission(await change(drive, context, share, existing.id));
        return { fileId: share.fileId, permission, notified: false };
      }
      try {
        const permission = toPermission(await create(drive, context, share));
        return { fileId: share.fileId, permission, notified: share.notify };
      } catch (error) {
        if (!(error instanceof ToolError) || error.code !== 'outcome_unknown') throw error;
        // Who has access is told at once, unlike a search: a look may spare the caller the doubt.
        const there = await findPermission(drive, context, share).catch(() => undefined);
        if (there?.role !== share.role) throw error;
        return { fileId: share.fileId, permission: there, notified: share.notify };
      }
    },
    reconcile: async (args, context) => {
      const share = checked(args, drive);
      const permission = await findPermission(drive, context, share);
      if (permission?.role === share.role) {
        return { found: 'executed', result: { fileId: share.fileId, permission, notified: share.notify } };
      }
      // Never "not executed": the request may still be on its way, and its e-mail with it.
      return {
        found: 'unknown',
        looked:
          'the permissions of the file do not show it just now; sharing again under another key does no harm, beyond a second e-mail where notify is true',
      };
    },
  });
}
