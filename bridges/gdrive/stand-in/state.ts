import { createHash } from 'node:crypto';
import { Refusal } from './refusal.ts';

/** Whose Drive it is. */
export const OWNER = { emailAddress: 'office@fenwick-events.example', displayName: 'Fenwick Events' } as const;
/** The folder that `root` stands for. */
const ROOT_ID = '0AFenwickEventsRootFolder';
const FOLDER = 'application/vnd.google-apps.folder';

export interface StoredPermission {
  readonly id: string;
  readonly type: string;
  role: string;
  readonly emailAddress?: string;
  readonly domain?: string;
  readonly displayName?: string;
}

export interface StoredFile {
  readonly id: string;
  name: string;
  mimeType: string;
  description: string | undefined;
  parent: string | undefined;
  readonly createdTime: string;
  modifiedTime: string;
  /** Bytes as they are; of Google's own formats the Markdown or CSV they are exported to. */
  content: Buffer | undefined;
  appProperties: Record<string, string>;
  explicitlyTrashed: boolean;
  readonly permissions: StoredPermission[];
}

/** What a file is made of. */
export interface NewFile {
  readonly id?: string | undefined;
  readonly name: string;
  readonly mimeType: string;
  readonly parent?: string | undefined;
  readonly description?: string | undefined;
  readonly content?: Buffer | undefined;
  readonly appProperties?: Readonly<Record<string, string>>;
  /** For the seed; default now. */
  readonly atMs?: number;
}

/** An e-mail that Drive would have sent. */
export interface SentMail {
  readonly to: string;
  readonly fileId: string;
  readonly message: string | undefined;
}

const ROLES = ['reader', 'commenter', 'writer', 'owner'];

export function isWorkspace(mimeType: string): boolean {
  return mimeType.startsWith('application/vnd.google-apps.');
}

/** The files of one account. */
export class DriveState {
  readonly #files = new Map<string, StoredFile>();
  readonly #given = new Set<string>();
  #mails: SentMail[] = [];
  #count = 0;
  #lastMs = 0;

  constructor() {
    this.clear();
  }

  clear(): void {
    this.#files.clear();
    this.#given.clear();
    this.#mails = [];
    this.#count = 0;
    this.#put(ROOT_ID, { name: 'My Drive', mimeType: FOLDER });
  }

  /** Everything, for tests and the curious. */
  dump(): unknown {
    return {
      files: [...this.#files.values()].map(({ content, ...file }) => ({ ...file, bytes: content?.length ?? null })),
      mails: this.#mails,
    };
  }

  /** Every file but the root, oldest first. */
  list(): readonly StoredFile[] {
    return [...this.#files.values()].filter(({ id }) => id !== ROOT_ID);
  }

  /** @throws Refusal 404 */
  get(id: string): StoredFile {
    const file = this.#files.get(id === 'root' ? ROOT_ID : id);
    if (file === undefined) throw new Refusal(404, 'notFound', `File not found: ${id}.`);
    return file;
  }

  generateIds(count: number): readonly string[] {
    return Array.from({ length: count }, () => {
      const id = this.#nextId();
      this.#given.add(id);
      return id;
    });
  }

  /** @throws Refusal 400, 404, 409 */
  create(file: NewFile): StoredFile {
    const { id } = file;
    if (id !== undefined && this.#files.has(id)) {
      throw new Refusal(409, 'fileIdInUse', 'A file already exists with the provided ID.');
    }
    if (id !== undefined && isWorkspace(file.mimeType) && file.mimeType !== FOLDER) {
      throw new Refusal(400, 'generatedIdNotSupported', 'Generated IDs are not supported for Docs Editors formats.');
    }
    if (id !== undefined && !this.#given.has(id) && file.atMs === undefined) {
      throw new Refusal(400, 'invalid', 'The provided file ID is not usable.');
    }
    return this.#put(id ?? this.#nextId(), { ...file, parent: this.folder(file.parent ?? 'root') });
  }

  /** The id of a folder that is there. @throws Refusal */
  folder(id: string): string {
    const folder = this.get(id);
    if (folder.mimeType !== FOLDER) {
      throw new Refusal(403, 'parentNotAFolder', 'The specified parent is not a folder.');
    }
    return folder.id;
  }

  /** A change of something that `modifiedTime` counts. */
  touch(file: StoredFile): void {
    file.modifiedTime = this.#time();
  }

  /** In the trash by itself or within a folder that is. */
  isTrashed(file: StoredFile): boolean {
    return this.#withFolders(file).some(({ explicitlyTrashed }) => explicitlyTrashed);
  }

  /** Whether `id` is `file` or lies in it. */
  liesWithin(id: string, file: StoredFile): boolean {
    return this.#withFolders(this.get(id)).includes(file);
  }

  /** A file's own permissions, then those that come from the folders above. */
  permissions(file: StoredFile): readonly StoredPermission[] {
    const all = new Map<string, StoredPermission>();
    for (const { permissions } of this.#withFolders(file)) {
      for (const permission of permissions) if (!all.has(permission.id)) all.set(permission.id, permission);
    }
    return [...all.values()];
  }

  /** Gives access; who has some already keeps the higher role, as at Google. */
  grant(file: StoredFile, wanted: Omit<StoredPermission, 'id'>): StoredPermission {
    const id = permissionId(wanted);
    const existing = file.permissions.find((permission) => permission.id === id);
    if (existing !== undefined) {
      if (ROLES.indexOf(wanted.role) > ROLES.indexOf(existing.role)) existing.role = wanted.role;
      return existing;
    }
    const permission = { ...wanted, id };
    file.permissions.push(permission);
    return permission;
  }

  mail(mail: SentMail): void {
    this.#mails.push(mail);
  }

  #put(id: string, file: NewFile): StoredFile {
    const time = file.atMs === undefined ? this.#time() : new Date(file.atMs).toISOString();
    const stored: StoredFile = {
      id,
      name: file.name,
      mimeType: file.mimeType,
      description: file.description,
      parent: file.parent,
      createdTime: time,
      modifiedTime: time,
      content: file.content,
      appProperties: { ...file.appProperties },
      explicitlyTrashed: false,
      permissions: [{ id: permissionId({ type: 'user', ...OWNER }), type: 'user', role: 'owner', ...OWNER }],
    };
    this.#files.set(id, stored);
    return stored;
  }

  #withFolders(file: StoredFile): readonly StoredFile[] {
    const chain: StoredFile[] = [];
    for (let at: StoredFile | undefined = file; at !== undefined && !chain.includes(at); ) {
      chain.push(at);
      at = at.parent === undefined ? undefined : this.#files.get(at.parent);
    }
    return chain;
  }

  /** Never the same twice, so that an order by time is one. */
  #time(): string {
    this.#lastMs = Math.max(Date.now(), this.#lastMs + 1);
    return new Date(this.#lastMs).toISOString();
  }

  #nextId(): string {
    this.#count += 1;
    return `1${createHash('sha256').update(`file ${this.#count}`).digest('base64url').slice(0, 32)}`;
  }
}

/** The same for the same person in every file, as at Google. */
function permissionId({ type, emailAddress, domain }: Partial<StoredPermission>): string {
  if (type === 'anyone') return 'anyoneWithLink';
  const digest = createHash('sha256')
    .update(`${type === 'domain' ? domain : emailAddress?.toLowerCase()}`)
    .digest();
  return `${digest.readBigUInt64BE()}`.padStart(20, '0') + (type === 'domain' ? 'k' : '');
}
