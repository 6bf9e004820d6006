import type { drive_v3 } from '@googleapis/drive';
import { z } from '../../core/server-kit/schema.ts';
import { FILE_KINDS, kindOf } from './kinds.ts';

/** What is asked of Drive for a file. */
export const FILE_FIELDS =
  'id,name,mimeType,description,parents,size,createdTime,modifiedTime,lastModifyingUser(displayName,emailAddress),owners(displayName,emailAddress),trashed,shared,webViewLink';

/** The length stands beside it: a counted repetition costs more to check next to a long text. */
const ID = /^[A-Za-z0-9_-]+$/;

/** Id of a file, folder or shared drive. */
export const fileId = z
  .string()
  .max(128)
  .regex(ID)
  .describe('Id of a file; search_files finds it, and it is the long part of the address of a file');

export const folderId = z
  .string()
  .max(128)
  .regex(ID)
  .describe('Id of a folder or shared drive; root is the top of My Drive');

/** One line: no line breaks, no other control characters. */
export const fileName = z
  .string()
  .trim()
  .min(1)
  .max(255)
  .regex(/^\P{Cc}*$/u, 'must be one line without control characters')
  .describe('Name with its ending, where it has one; names need not be unique in a folder');

export const description = z.string().max(4_000).describe('A note that people see among the details of the file');

/** A file as every tool tells it. */
export const fileShape = {
  id: z.string(),
  name: z.string(),
  kind: z.enum(FILE_KINDS),
  mimeType: z.string(),
  folderId: z.string().nullable().describe('Where it lies; null where that is not visible to this account'),
  sizeBytes: z.number().int().nullable().describe('Null for folders and for the formats of Google'),
  createdAt: z.string().nullable().describe('ISO 8601, UTC'),
  modifiedAt: z.string().nullable().describe('ISO 8601, UTC'),
  modifiedBy: z.string().nullable().describe('E-mail address, or name where that is not visible'),
  owner: z.string().nullable().describe('E-mail address; null in shared drives'),
  description: z.string().nullable(),
  shared: z.boolean().describe('True when somebody beside the owner has access'),
  trashed: z.boolean(),
  link: z.string().nullable().describe('Opens it in a browser, for those who have access'),
};

/** What {@link toFile} gives. */
export type FileOutput = z.output<z.ZodObject<typeof fileShape>>;

type Person = drive_v3.Schema$User | null | undefined;

function personOf(person: Person): string | null {
  return person?.emailAddress ?? person?.displayName ?? null;
}

export function toFile(file: drive_v3.Schema$File): FileOutput {
  const mimeType = file.mimeType ?? 'application/octet-stream';
  const size = Number(file.size ?? Number.NaN);
  return {
    id: file.id ?? '',
    name: file.name ?? '',
    kind: kindOf(mimeType),
    mimeType,
    folderId: file.parents?.[0] ?? null,
    sizeBytes: Number.isSafeInteger(size) ? size : null,
    createdAt: file.createdTime ?? null,
    modifiedAt: file.modifiedTime ?? null,
    modifiedBy: personOf(file.lastModifyingUser),
    owner: personOf(file.owners?.[0]),
    description: file.description ?? null,
    shared: file.shared ?? false,
    trashed: file.trashed ?? false,
    link: file.webViewLink ?? null,
  };
}
