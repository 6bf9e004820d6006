import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import manifest from '../../../bridges/gdrive/bridge.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

const ANYONE = { GDRIVE_ALLOW_PUBLIC_LINKS: 'false' };

let drive: Vendor;

beforeAll(async () => {
  drive = await startVendor('gdrive', { env: ANYONE });
});
afterAll(() => drive?.[Symbol.asyncDispose]());
beforeEach(() => drive.sandbox.reset());

const call = (tool: string, args: Record<string, unknown> = {}) => drive.call(tool, args);
const find = async (nameContains: string) => (await call('search_files', { nameContains })).data.files[0];
const names = (files: readonly { readonly name: string }[]) => files.map(({ name }) => name);

/** The bodies of what was sent to an address. */
async function sent(method: string, path: string) {
  return (await drive.sandbox.received(path)).filter((seen) => seen.method === method);
}

test('every tool is listed with an effect of the manifest, both schemas and annotations that fit it', async () => {
  const tools = await drive.tools();
  expect(tools.map(({ name }) => name).toSorted()).toEqual(Object.keys(manifest.tools).toSorted());
  for (const { name, policy, annotations, inputSchema, outputSchema } of tools) {
    const { effect } = policy;
    expect(effect).toBe(manifest.tools[name]?.effect);
    expect(annotations).toMatchObject({ readOnlyHint: effect === 'read', idempotentHint: effect !== 'write' });
    expect(inputSchema).toMatchObject({ type: 'object', additionalProperties: false });
    expect(outputSchema).toMatchObject({ type: 'object' });
  }
});

test('the example of the manifest works', async () => {
  const { tool = '', arguments: args = {} } = manifest.example ?? {};
  const answer = await call(tool, args);
  expect(answer.status, answer.text).toBe(200);
  expect(answer.data.files.length).toBeGreaterThan(0);
});

describe('search_files', () => {
  test('finds by the beginning of words, newest first, page by page', async () => {
    const first = await call('search_files', { nameContains: 'contract', limit: 2 });
    const second = await call('search_files', { nameContains: 'contract', limit: 2, cursor: first.data.nextCursor });
    expect(names([...first.data.files, ...second.data.files])).toEqual([
      'Contract Nordlicht Quartett (signed).pdf',
      'Contract catering Feldkueche',
      'Contract Orangery at Linden Park',
      'Contracts',
    ]);
    expect(second.data.nextCursor).toBeNull();
  });

  test('all conditions must hold', async () => {
    const wedding = await find('Wedding');
    const since = new Date(Date.now() - 8 * 86_400_000).toISOString();
    const inFolder = { folderId: wedding.id, kind: 'spreadsheet', modifiedSince: since };
    expect(names((await call('search_files', inFolder)).data.files)).toEqual(['Seating plan', 'Budget']);
    expect(names((await call('search_files', { ...inFolder, nameContains: 'bud' })).data.files)).toEqual(['Budget']);
    expect(names((await call('search_files', { fullText: 'asparagus tart' })).data.files)).toEqual([
      'Contract catering Feldkueche',
    ]);
    expect(names((await call('search_files', { kind: 'image' })).data.files)).toHaveLength(2);
  });

  test.each(["Caterer's", "x' or name contains 'Budget", "\\' or trashed = true or name contains '"])(
    'what looks like a query is only a text: %s',
    async (nameContains) => {
      const { files } = (await call('search_files', { nameContains })).data;
      expect(names(files)).toEqual(nameContains === "Caterer's" ? ["Caterer's notes.txt"] : []);
    },
  );

  test('looks in the trash only when asked to', async () => {
    const { id } = await find('Budget');
    await call('trash_file', { fileId: id });
    expect(await find('Budget')).toBeUndefined();
    expect(names((await call('search_files', { nameContains: 'Budget', trashed: true })).data.files)).toEqual([
      'Budget',
    ]);
  });

  test('refuses what it cannot mean', async () => {
    expect((await call('search_files', { q: 'trashed = true' })).status).toBe(422);
    expect((await call('search_files', { folderId: "x' or 'y" })).status).toBe(422);
    expect((await call('search_files', { modifiedSince: 'yesterday' })).status).toBe(422);
    expect((await call('search_files', { cursor: 'made up' })).data.error).toMatchObject({
      code: 'vendor_refused',
      vendorCode: 'invalid',
    });
    expect((await call('search_files', { folderId: 'absent' })).data.error).toMatchObject({ code: 'not_found' });
  });
});

describe('get_file and read_file', () => {
  test('tell a file without its content', async () => {
    const { id } = await find('signed');
    expect((await call('get_file', { fileId: id })).data).toMatchObject({
      name: 'Contract Nordlicht Quartett (signed).pdf',
      kind: 'pdf',
      sizeBytes: 15,
      description: 'Signed by both sides',
      owner: 'office@fenwick-events.example',
      trashed: false,
    });
    expect((await call('get_file', { fileId: '../etc' })).status).toBe(422);
    expect((await call('get_file', { fileId: 'absent' })).data.error).toMatchObject({ code: 'not_found' });
  });

  test.each([
    ['Contract Orangery', 'markdown', '# Venue contract'],
    ['Seating', 'csv', 'Table,Seat,Guest'],
    ['Welcome', 'text', 'Welcome\nHannah'],
    ['Caterer', 'text', 'Asparagus from'],
  ])('%s is read as %s', async (name, format, beginning) => {
    const { id } = await find(name);
    const { data } = await call('read_file', { fileId: id });
    expect(data).toMatchObject({ id, format, truncated: false });
    expect(data.text.startsWith(beginning)).toBe(true);
    expect(data.bytes).toBe(Buffer.byteLength(data.text));
  });

  test('no more is read than was asked for, and no character is cut', async () => {
    const { data: file } = await call('upload_file', {
      name: 'a.txt',
      mimeType: 'text/plain',
      text: 'Grüße '.repeat(50_000),
    });
    expect((await call('read_file', { fileId: file.id, maxBytes: 3 })).data).toMatchObject({
      text: 'Gr',
      truncated: true,
    });
    expect((await call('read_file', { fileId: file.id, maxBytes: 4 })).data).toMatchObject({ text: 'Grü', bytes: 4 });
    expect((await call('read_file', { fileId: file.id })).data).toMatchObject({ bytes: 100_000, truncated: true });
    expect((await call('read_file', { fileId: file.id, maxBytes: 400_000 })).data).toMatchObject({ truncated: false });
  });

  test('an image is not read as text', async () => {
    const { id } = await find('hall.png');
    expect((await call('read_file', { fileId: id })).data.error).toMatchObject({
      code: 'not_readable',
      retryable: false,
    });
    expect((await call('read_file', { fileId: id, maxBytes: 2_000_000 })).status).toBe(422);
  });
});

describe('what is made', () => {
  test('a folder, a document, a spreadsheet and a presentation, and what is in them', async () => {
    const { data: folder } = await call('create_folder', { name: "O'Brien & Söhne", description: 'Gala' });
    expect(folder).toMatchObject({ kind: 'folder', description: 'Gala', sizeBytes: null });
    const made = await Promise.all([
      call('create_document', { name: 'Notes', content: '# Grüße', folderId: folder.id }),
      call('create_document', { kind: 'spreadsheet', name: 'Guests', content: 'a,b\n1,2\n', folderId: folder.id }),
      call('create_document', { kind: 'presentation', name: 'Slides', folderId: folder.id }),
    ]);
    expect(made.map(({ data }) => data.kind)).toEqual(['document', 'spreadsheet', 'presentation']);
    expect((await call('read_file', { fileId: made[0].data.id })).data.text).toBe('# Grüße');
    expect((await call('search_files', { folderId: folder.id })).data.files).toHaveLength(3);
  });

  test('a file of the bytes that were given', async () => {
    const bytes = Buffer.from([0, 255, 13, 10, 45, 45, 128]);
    const { data } = await call('upload_file', {
      name: 'x.bin',
      mimeType: 'application/zip',
      base64: bytes.toString('base64'),
    });
    expect(data).toMatchObject({ kind: 'other', mimeType: 'application/zip', sizeBytes: bytes.length });
  });

  test.each([
    ['upload_file', { name: 'x', mimeType: 'text/plain' }],
    ['upload_file', { name: 'x', mimeType: 'text/plain', text: 'a', base64: 'YQ==' }],
    ['upload_file', { name: 'x', mimeType: 'text/plain', base64: '/etc/passwd:' }],
    ['upload_file', { name: 'x', mimeType: 'application/vnd.google-apps.document', text: 'a' }],
    ['create_document', { kind: 'presentation', name: 'x', content: 'a' }],
    ['update_file', { fileId: 'abc' }],
    ['update_file', { fileId: 'abc', name: 'x', mimeType: 'text/plain' }],
    ['share_file', { fileId: 'abc', role: 'reader' }],
    ['share_file', { fileId: 'abc', role: 'reader', email: 'a@b.example', message: 'hi' }],
    ['share_file', { fileId: 'abc', role: 'reader', type: 'domain', email: 'a@b.example' }],
  ])('%s %j is refused before anything is sent', async (tool, args) => {
    await drive.sandbox.reset();
    expect((await call(tool, args)).data.error).toMatchObject({ code: 'invalid_arguments', retryable: false });
    expect(await drive.sandbox.received()).toEqual([]);
  });

  test.each([
    ['create_folder', { name: 'two\nlines' }],
    ['create_folder', { name: '   ' }],
    ['upload_file', { name: 'x', mimeType: 'text/plain', path: '/etc/passwd' }],
    ['create_document', { name: 'x', kind: 'form' }],
    ['copy_file', {}],
    ['move_file', { fileId: 'abc' }],
    ['share_file', { fileId: 'abc', email: 'a@b.example', role: 'owner' }],
    ['list_permissions', { fileId: 'abc', limit: 101 }],
    ['trash_file', { fileId: '' }],
  ])('%s %j breaks its input schema or its rules', async (tool, args) => {
    const answer = await call(tool, args);
    expect(answer.status === 422 || answer.data.error.code === 'invalid_arguments').toBe(true);
  });

  test('a copy lies beside its original, or where it was told to', async () => {
    const { id, folderId } = await find('Run sheet');
    expect((await call('copy_file', { fileId: id })).data).toMatchObject({ name: 'Copy of Run sheet', folderId });
    const { id: templates } = await find('Templates');
    const { data } = await call('copy_file', { fileId: id, name: 'Run sheet template', folderId: templates });
    expect(data).toMatchObject({ name: 'Run sheet template', folderId: templates, kind: 'document' });
    expect((await call('copy_file', { fileId: templates })).data.error).toMatchObject({
      code: 'permission_denied',
      vendorCode: 'cannotCopyFile',
    });
  });
});

describe('what is changed', () => {
  test('name, description and content, each by itself', async () => {
    const { id } = await find('Run sheet');
    expect((await call('update_file', { fileId: id, name: 'Run sheet v2' })).data).toMatchObject({
      name: 'Run sheet v2',
    });
    expect((await call('update_file', { fileId: id, description: 'Final' })).data).toMatchObject({
      name: 'Run sheet v2',
      description: 'Final',
    });
    await call('update_file', { fileId: id, text: '# New' });
    expect((await call('read_file', { fileId: id })).data).toMatchObject({ text: '# New', name: 'Run sheet v2' });
    expect((await call('update_file', { fileId: id, description: '' })).data.description).toBeNull();
    const { id: notes } = await find('Caterer');
    const binary = await call('update_file', { fileId: notes, base64: 'AAEC', mimeType: 'application/zip' });
    expect(binary.data).toMatchObject({ sizeBytes: 3, mimeType: 'application/zip' });
  });

  test('the content of a folder or of slides cannot be replaced', async () => {
    for (const name of ['Templates', 'Welcome']) {
      const { id } = await find(name);
      expect((await call('update_file', { fileId: id, text: 'x' })).data.error).toMatchObject({ code: 'not_writable' });
    }
  });

  test('a file moves, stays where it is when it is there, and goes into no file', async () => {
    const { id } = await find('Budget');
    const { id: templates } = await find('Templates');
    expect((await call('move_file', { fileId: id, folderId: templates })).data.folderId).toBe(templates);
    expect((await call('move_file', { fileId: id, folderId: templates })).data.folderId).toBe(templates);
    const { id: seating } = await find('Seating');
    expect((await call('move_file', { fileId: id, folderId: seating })).data.error).toMatchObject({
      code: 'permission_denied',
      vendorCode: 'parentNotAFolder',
    });
    expect((await call('move_file', { fileId: 'absent', folderId: 'root' })).data.error).toMatchObject({
      code: 'not_found',
    });
  });

  test('trashing takes what lies in a folder along, and is no error the second time', async () => {
    const wedding = await find('Wedding');
    const inside = await find('Budget');
    expect((await call('trash_file', { fileId: wedding.id })).data.trashed).toBe(true);
    expect((await call('trash_file', { fileId: wedding.id })).data.trashed).toBe(true);
    expect((await call('get_file', { fileId: inside.id })).data.trashed).toBe(true);
    expect((await call('trash_file', { fileId: 'absent' })).data.error).toMatchObject({ code: 'not_found' });
  });
});

describe('who has access', () => {
  test('is told with where it comes from above, page by page', async () => {
    const { id } = await find('Seating');
    const first = await call('list_permissions', { fileId: id, limit: 2 });
    const second = await call('list_permissions', { fileId: id, limit: 2, cursor: first.data.nextCursor });
    expect([...first.data.permissions, ...second.data.permissions].map(({ email, role }) => [email, role])).toEqual([
      ['office@fenwick-events.example', 'owner'],
      ['hannah@weiss.example', 'commenter'],
      ['mara@fenwick-events.example', 'writer'],
    ]);
    expect((await call('list_permissions', { fileId: 'absent' })).data.error).toMatchObject({ code: 'not_found' });
  });

  test('is given once, without an e-mail, and the role is set where it was another', async () => {
    const { id } = await find('Run sheet');
    const path = `/drive/v3/files/${id}/permissions`;
    const guest = { fileId: id, email: 'guest@example.com', role: 'reader' };
    const { data } = await call('share_file', guest);
    expect(data).toMatchObject({
      permission: { type: 'user', role: 'reader', email: 'guest@example.com' },
      notified: false,
    });
    expect((await call('share_file', { ...guest, email: 'Guest@Example.com', notify: true })).data).toEqual(data);
    expect((await sent('POST', path)).map(({ query }) => query.sendNotificationEmail)).toEqual(['false']);
    expect((await call('share_file', { ...guest, role: 'writer' })).data.permission).toMatchObject({ role: 'writer' });
    expect(await sent('POST', path)).toHaveLength(1);
    expect((await drive.sandbox.state()).mails).toEqual([]);
  });

  test('is told by e-mail only where that is asked for', async () => {
    const { id } = await find('Run sheet');
    const answer = await call('share_file', {
      fileId: id,
      email: 'g@example.com',
      role: 'writer',
      notify: true,
      message: 'Hi',
    });
    expect(answer.data.notified).toBe(true);
    expect((await drive.sandbox.state()).mails).toEqual([{ to: 'g@example.com', fileId: id, message: 'Hi' }]);
  });

  test('is given to a domain, not to its owner, and to everybody only where the operator allows it', async () => {
    const { id } = await find('Run sheet');
    const domain = await call('share_file', { fileId: id, type: 'domain', domain: 'example.com', role: 'commenter' });
    expect(domain.data.permission).toMatchObject({ type: 'domain', domain: 'example.com' });
    const owner = { fileId: id, email: 'office@fenwick-events.example', role: 'reader' };
    expect((await call('share_file', owner)).data.error).toMatchObject({ code: 'is_owner' });
    const anyone = { fileId: id, type: 'anyone', role: 'reader' };
    expect((await call('share_file', anyone)).data.error).toMatchObject({ code: 'public_links_disabled' });
    expect((await call('share_file', { ...owner, fileId: 'absent' })).data.error).toMatchObject({ code: 'not_found' });
  });
});
