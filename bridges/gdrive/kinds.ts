const WORKSPACE = 'application/vnd.google-apps.';

/** MIME types of what Google keeps in formats of its own. */
export const MIME = {
  folder: `${WORKSPACE}folder`,
  document: `${WORKSPACE}document`,
  spreadsheet: `${WORKSPACE}spreadsheet`,
  presentation: `${WORKSPACE}presentation`,
  shortcut: `${WORKSPACE}shortcut`,
} as const;

/** What a file is, in words. */
export const FILE_KINDS = [
  'folder',
  'document',
  'spreadsheet',
  'presentation',
  'shortcut',
  'pdf',
  'image',
  'video',
  'audio',
  'text',
  'other',
] as const;
export type FileKind = (typeof FILE_KINDS)[number];

/** Kinds that a search can ask for. */
export const SEARCH_KINDS = FILE_KINDS.filter((kind) => kind !== 'other');
export type SearchKind = Exclude<FileKind, 'other'>;

/** MIME types that are text although their names do not begin with `text/`. */
const TEXTUAL =
  /^(?:text\/.*|application\/(?:json|xml|yaml|x-yaml|toml|javascript|sql|x-sh|x-ndjson|rtf|(?:.*\+(?:json|xml))))$/;

/** Google's own formats have no bytes: they are exported, and made by conversion. */
export function isWorkspace(mimeType: string): boolean {
  return mimeType.startsWith(WORKSPACE);
}

export function isText(mimeType: string): boolean {
  return TEXTUAL.test(mimeType);
}

export function kindOf(mimeType: string): FileKind {
  for (const kind of ['folder', 'document', 'spreadsheet', 'presentation', 'shortcut'] as const) {
    if (mimeType === MIME[kind]) return kind;
  }
  if (mimeType === 'application/pdf') return 'pdf';
  for (const kind of ['image', 'video', 'audio'] as const) if (mimeType.startsWith(`${kind}/`)) return kind;
  return isText(mimeType) ? 'text' : 'other';
}

/** The format in which a file of Google's own kinds is read as text; undefined where there is none. */
export function exportFormat(mimeType: string): { readonly mimeType: string; readonly format: ReadFormat } | undefined {
  switch (mimeType) {
    case MIME.document:
      return { mimeType: 'text/markdown', format: 'markdown' };
    case MIME.spreadsheet:
      return { mimeType: 'text/csv', format: 'csv' };
    case MIME.presentation:
      return { mimeType: 'text/plain', format: 'text' };
    default:
      return undefined;
  }
}

export const READ_FORMATS = ['markdown', 'csv', 'text'] as const;
export type ReadFormat = (typeof READ_FORMATS)[number];
