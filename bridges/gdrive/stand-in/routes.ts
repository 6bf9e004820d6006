import type { Route, SandboxAnswer, SandboxRequest } from '../../../core/sandbox-kit/sandbox-request.ts';
import { selected } from './fields.ts';
import { readUpload, type Upload } from './multipart.ts';
import { page } from './pages.ts';
import { permissionRoutes } from './permission-routes.ts';
import { parseQuery } from './query-terms.ts';
import { Refusal } from './refusal.ts';
import { fileResource } from './resources.ts';
import { type DriveState, isWorkspace, type StoredFile } from './state.ts';

const FOLDER = 'application/vnd.google-apps.folder';
const FILES = '/drive/v3/files';
const DEFAULT_FIELDS = 'kind,id,name,mimeType';
const MAX_UPLOAD_BYTES = 5 * 1024 * 1024;

/** What each of Google's own formats can be exported to; the first is how it is stored. */
const EXPORTS: Readonly<Record<string, readonly string[]>> = {
  'application/vnd.google-apps.document': ['text/markdown', 'text/plain'],
  'application/vnd.google-apps.spreadsheet': ['text/csv'],
  'application/vnd.google-apps.presentation': ['text/plain'],
};
/** What can be turned into them. */
const IMPORTS: Readonly<Record<string, readonly string[]>> = {
  'application/vnd.google-apps.document': ['text/markdown', 'text/plain', 'text/html'],
  'application/vnd.google-apps.spreadsheet': ['text/csv'],
};

interface Metadata {
  readonly id?: string;
  readonly name?: string;
  readonly mimeType?: string;
  readonly description?: string;
  readonly parents?: readonly string[];
  readonly trashed?: boolean;
  readonly appProperties?: Readonly<Record<string, string | null>>;
}

/** The addresses of API v3 that the bridge uses. */
export function driveRoutes(drive: DriveState): readonly Route[] {
  const answer = (file: StoredFile, { query }: SandboxRequest): SandboxAnswer => ({
    status: 200,
    body: selected(fileResource(file, drive), query.get('fields'), DEFAULT_FIELDS),
  });
  return [
    { method: 'GET', path: FILES, answer: (request) => listFiles(drive, request) },
    {
      method: 'GET',
      path: `${FILES}/generateIds`,
      answer: ({ query }) => ({
        status: 200,
        body: {
          kind: 'drive#generatedIds',
          space: 'drive',
          ids: drive.generateIds(bounded(query.get('count'), 10, 1_000)),
        },
      }),
    },
    {
      method: 'GET',
      path: `${FILES}/:id`,
      answer: (request, { id = '' }) =>
        request.query.get('alt') === 'media' ? download(drive.get(id)) : answer(drive.get(id), request),
    },
    {
      method: 'GET',
      path: `${FILES}/:id/export`,
      answer: ({ query }, { id = '' }) => exported(drive.get(id), query.get('mimeType') ?? ''),
    },
    {
      method: 'POST',
      path: FILES,
      answer: (request) => answer(create(drive, request.json() as Metadata, undefined), request),
    },
    {
      method: 'POST',
      path: `/upload${FILES}`,
      answer: (request) => {
        const upload = readUpload(request);
        return answer(create(drive, upload.metadata, upload), request);
      },
    },
    {
      method: 'POST',
      path: `${FILES}/:id/copy`,
      answer: (request, { id = '' }) => answer(copy(drive, drive.get(id), request.json() as Metadata), request),
    },
    {
      method: 'PATCH',
      path: `${FILES}/:id`,
      answer: (request, { id = '' }) => answer(update(drive, drive.get(id), request, undefined), request),
    },
    {
      method: 'PATCH',
      path: `/upload${FILES}/:id`,
      answer: (request, { id = '' }) => answer(update(drive, drive.get(id), request, readUpload(request)), request),
    },
    ...permissionRoutes(drive, FILES),
  ];
}

function bounded(text: string | null, fallback: number, most: number): number {
  const value = text === null ? fallback : Number(text);
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw new Refusal(400, 'invalidParameter', 'Invalid value');
  return value;
}

function listFiles(drive: DriveState, { query }: SandboxRequest): SandboxAnswer {
  const driveId = query.get('driveId');
  if (driveId !== null) throw new Refusal(404, 'notFound', `Shared drive not found: ${driveId}`);
  const q = query.get('q') ?? '';
  const orderBy = query.get('orderBy');
  if (orderBy !== null && q.includes('fullText')) {
    throw new Refusal(403, 'forbidden', 'Sorting is not supported for queries with fullText terms.');
  }
  const found = drive.list().filter(parseQuery(q, drive)).toSorted(order(orderBy));
  const { members, nextPageToken } = page(found, query, bounded(query.get('pageSize'), 100, 1_000));
  const body = {
    kind: 'drive#fileList',
    incompleteSearch: false,
    files: members.map((file) => fileResource(file, drive)),
    ...(nextPageToken === undefined ? {} : { nextPageToken }),
  };
  return {
    status: 200,
    body: selected(body, query.get('fields'), `kind,incompleteSearch,nextPageToken,files(${DEFAULT_FIELDS})`),
  };
}

function order(orderBy: string | null): (a: StoredFile, b: StoredFile) => number {
  const [key, direction = 'asc'] = (orderBy ?? 'modifiedTime desc').split(' ');
  if (key !== 'modifiedTime' && key !== 'createdTime' && key !== 'name') {
    throw new Refusal(400, 'invalid', 'Invalid Value');
  }
  const sign = direction === 'desc' ? -1 : 1;
  return (a, b) => sign * (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0);
}

function download({ mimeType, content }: StoredFile): SandboxAnswer {
  if (isWorkspace(mimeType) || content === undefined) {
    throw new Refusal(
      403,
      'fileNotDownloadable',
      'Only files with binary content can be downloaded. Use Export with Docs Editors files.',
    );
  }
  return { status: 200, headers: { 'Content-Type': mimeType }, body: content };
}

function exported({ mimeType, content }: StoredFile, wanted: string): SandboxAnswer {
  const formats = EXPORTS[mimeType];
  if (formats === undefined) throw new Refusal(403, 'fileNotExportable', 'Export only supports Docs Editors files.');
  if (!formats.includes(wanted)) throw new Refusal(400, 'badRequest', 'The requested conversion is not supported.');
  return { status: 200, headers: { 'Content-Type': wanted }, body: content ?? Buffer.alloc(0) };
}

function create(drive: DriveState, metadata: Metadata, upload: Upload | undefined): StoredFile {
  const { id, name = 'Untitled', description, parents = [] } = metadata;
  const mimeType = metadata.mimeType ?? upload?.mimeType ?? 'application/octet-stream';
  if (parents.length > 1) throw new Refusal(403, 'multiparentingNotAllowed', 'A file cannot have several parents.');
  return drive.create({
    id,
    name,
    mimeType,
    description,
    parent: parents[0],
    content: contentFor(mimeType, upload),
    appProperties: withoutNulls(metadata.appProperties),
  });
}

function contentFor(mimeType: string, upload: Upload | undefined): Buffer | undefined {
  if (upload === undefined) return isWorkspace(mimeType) ? undefined : Buffer.alloc(0);
  if (upload.content.length > MAX_UPLOAD_BYTES) throw new Refusal(413, 'uploadTooLarge', 'Request Too Large');
  if (isWorkspace(mimeType) && !IMPORTS[mimeType]?.includes(upload.mimeType)) {
    throw new Refusal(400, 'badRequest', 'The requested conversion is not supported.');
  }
  return upload.content;
}

function copy(drive: DriveState, source: StoredFile, metadata: Metadata): StoredFile {
  if (source.mimeType === FOLDER) throw new Refusal(403, 'cannotCopyFile', 'This file cannot be copied by the user.');
  return drive.create({
    id: metadata.id,
    name: metadata.name ?? `Copy of ${source.name}`,
    mimeType: source.mimeType,
    description: metadata.description ?? source.description,
    parent: metadata.parents?.[0] ?? source.parent,
    content: source.content,
    appProperties: withoutNulls({ ...source.appProperties, ...metadata.appProperties }),
  });
}

function update(drive: DriveState, file: StoredFile, request: SandboxRequest, upload: Upload | undefined): StoredFile {
  const { query } = request;
  const metadata = upload === undefined ? (request.json() as Metadata) : (upload.metadata as Metadata);
  if (metadata.parents !== undefined) {
    throw new Refusal(403, 'fieldNotWritable', 'The parents field is not directly writable in update requests.');
  }
  const content = upload === undefined ? undefined : contentFor(file.mimeType, upload);
  const added = query.get('addParents');
  if (added !== null) move(drive, file, added, query.get('removeParents'));
  if (metadata.name !== undefined) file.name = metadata.name;
  if (metadata.description !== undefined) file.description = metadata.description || undefined;
  if (metadata.mimeType !== undefined && !isWorkspace(file.mimeType)) file.mimeType = metadata.mimeType;
  if (metadata.trashed !== undefined) file.explicitlyTrashed = metadata.trashed;
  file.appProperties = withoutNulls({ ...file.appProperties, ...metadata.appProperties });
  if (content !== undefined) file.content = content;
  if (content !== undefined || metadata.name !== undefined || metadata.description !== undefined) drive.touch(file);
  return file;
}

function move(drive: DriveState, file: StoredFile, added: string, removed: string | null): void {
  const to = drive.folder(added);
  if (drive.liesWithin(to, file)) {
    throw new Refusal(403, 'cyclicFolderStructure', 'A folder cannot be moved into itself or one of its children.');
  }
  const leaves = removed?.split(',').some((id) => drive.get(id).id === file.parent) ?? false;
  if (to !== file.parent && !leaves) {
    throw new Refusal(
      403,
      'cannotAddParent',
      'Increasing the number of parents is not allowed; remove the current parent in the same request.',
    );
  }
  file.parent = to;
}

function withoutNulls(properties: Readonly<Record<string, string | null>> = {}): Record<string, string> {
  const kept = Object.entries(properties).filter((entry): entry is [string, string] => entry[1] !== null);
  for (const [key, value] of kept) {
    if (Buffer.byteLength(key + value) > 124) {
      throw new Refusal(400, 'propertyTooLong', 'The size of the property key and value may not exceed 124 bytes.');
    }
  }
  return Object.fromEntries(kept);
}
