import { MIME, type SearchKind } from './kinds.ts';

/** What a search asks for; every member narrows it. */
export interface SearchTerms {
  readonly nameContains?: string | undefined;
  readonly fullText?: string | undefined;
  readonly kind?: SearchKind | undefined;
  readonly folderId?: string | undefined;
  /** ISO 8601 with zone */
  readonly modifiedSince?: string | undefined;
  readonly trashed: boolean;
}

/** A text as Drive's query language writes it. */
export function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

/** The query of a search, built of quoted values only. */
export function searchQuery({ nameContains, fullText, kind, folderId, modifiedSince, trashed }: SearchTerms): string {
  const terms = [`trashed = ${trashed}`];
  if (nameContains !== undefined) terms.push(`name contains ${quoted(nameContains)}`);
  if (fullText !== undefined) terms.push(`fullText contains ${quoted(fullText)}`);
  if (folderId !== undefined) terms.push(`${quoted(folderId)} in parents`);
  if (modifiedSince !== undefined) terms.push(`modifiedTime >= ${quoted(new Date(modifiedSince).toISOString())}`);
  if (kind !== undefined) terms.push(kindTerm(kind));
  return terms.join(' and ');
}

/** The query that finds what was made with a key; also where it is in the trash by now. */
export function keyQuery(property: string, key: string): string {
  return `appProperties has { key=${quoted(property)} and value=${quoted(key)} }`;
}

function kindTerm(kind: SearchKind): string {
  switch (kind) {
    case 'pdf':
      return "mimeType = 'application/pdf'";
    case 'image':
    case 'video':
    case 'audio':
    case 'text':
      return `mimeType contains '${kind}/'`;
    default:
      return `mimeType = ${quoted(MIME[kind])}`;
  }
}
