import { createHash } from 'node:crypto';
import { type DriveState, isWorkspace, OWNER, type StoredFile, type StoredPermission } from './state.ts';

const FOLDER = 'application/vnd.google-apps.folder';
const USER = {
  kind: 'drive#user',
  ...OWNER,
  me: true,
  permissionId: '01234567890123456789',
} as const;

/** A file as API v3 writes it. */
export function fileResource(file: StoredFile, drive: DriveState): Readonly<Record<string, unknown>> {
  const { id, name, mimeType, description, parent, createdTime, modifiedTime, content, appProperties } = file;
  const binary = content !== undefined && !isWorkspace(mimeType);
  return {
    kind: 'drive#file',
    id,
    name,
    mimeType,
    ...(description === undefined ? {} : { description }),
    starred: false,
    trashed: drive.isTrashed(file),
    explicitlyTrashed: file.explicitlyTrashed,
    ...(parent === undefined ? {} : { parents: [parent] }),
    ...(Object.keys(appProperties).length === 0 ? {} : { appProperties }),
    spaces: ['drive'],
    createdTime,
    modifiedTime,
    lastModifyingUser: USER,
    owners: [USER],
    ownedByMe: true,
    shared: drive.permissions(file).length > 1,
    webViewLink: linkOf(id, mimeType),
    ...(binary
      ? {
          size: `${content.length}`,
          md5Checksum: createHash('md5').update(content).digest('hex'),
          originalFilename: name,
        }
      : {}),
    capabilities: { canEdit: true, canShare: true, canTrash: true, canCopy: mimeType !== FOLDER },
  };
}

function linkOf(id: string, mimeType: string): string {
  const editor = /^application\/vnd\.google-apps\.(document|spreadsheet|presentation)$/.exec(mimeType)?.[1];
  if (editor !== undefined)
    return `https://docs.google.com/${editor}${editor === 'spreadsheet' ? 's' : ''}/d/${id}/edit`;
  if (mimeType === FOLDER) return `https://drive.google.com/drive/folders/${id}`;
  return `https://drive.google.com/file/d/${id}/view`;
}

/** A permission as API v3 writes it. */
export function permissionResource(permission: StoredPermission): Readonly<Record<string, unknown>> {
  return {
    kind: 'drive#permission',
    ...permission,
    ...(permission.type === 'user' || permission.type === 'group' ? { deleted: false, pendingOwner: false } : {}),
    ...(permission.type === 'anyone' || permission.type === 'domain' ? { allowFileDiscovery: false } : {}),
  };
}
