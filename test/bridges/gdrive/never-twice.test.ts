import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FaultKind } from '../../../core/sandbox-kit/fault-plan.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

const FILES = '/drive/v3/files';
const UPLOADS = '/upload/drive/v3/files';

let drive: Vendor;
let twin: Vendor;

beforeAll(async () => {
  drive = await startVendor('gdrive');
  twin = await drive.twin();
});
afterAll(async () => {
  await twin?.[Symbol.asyncDispose]();
  await drive?.[Symbol.asyncDispose]();
});
beforeEach(() => drive.sandbox.reset());

let keys = 0;
const newKey = () => `key-${++keys}`;
const keyed = (key: string, more: Record<string, string> = {}) => ({ 'idempotency-key': key, ...more });

interface Write {
  readonly tool: string;
  readonly args: Record<string, unknown>;
  /** Where the write itself goes. */
  readonly path: string;
}

/** Ids of the seed are the same after every reset. */
async function seeded(nameContains: string): Promise<string> {
  return (await drive.call('search_files', { nameContains })).data.files[0].id;
}

async function writes(): Promise<Record<string, Write>> {
  const id = await seeded('Run sheet');
  return {
    folder: { tool: 'create_folder', args: { name: 'Gala' }, path: FILES },
    empty: { tool: 'create_document', args: { name: 'Gala' }, path: FILES },
    document: { tool: 'create_document', args: { name: 'Gala', content: '# Gala' }, path: UPLOADS },
    upload: { tool: 'upload_file', args: { name: 'Gala', mimeType: 'text/plain', text: 'Gala' }, path: UPLOADS },
    copy: { tool: 'copy_file', args: { fileId: id, name: 'Gala' }, path: `${FILES}/${id}/copy` },
    share: {
      tool: 'share_file',
      args: { fileId: id, email: 'guest@example.com', role: 'reader', notify: true },
      path: `${FILES}/${id}/permissions`,
    },
  };
}

/** How often a write took effect, by the stand-in's own account. */
async function effects({ path }: Write): Promise<number> {
  return (await drive.sandbox.received(path)).filter(({ method, tookEffect }) => method === 'POST' && tookEffect)
    .length;
}

async function attempts({ path }: Write): Promise<number> {
  return (await drive.sandbox.received(path)).filter(({ method }) => method === 'POST').length;
}

async function of(name: string): Promise<Write> {
  const write = (await writes())[name];
  if (write === undefined) throw new Error(name);
  return write;
}

const order = (write: Write, kind: FaultKind, times = 1) =>
  drive.sandbox.fault({ kind, method: 'POST', path: write.path, times });

const ALL = ['folder', 'empty', 'document', 'upload', 'copy', 'share'] as const;

describe('repeated with one key', () => {
  test.each(ALL)('%s takes effect once in two processes that share nothing', async (name) => {
    const write = await of(name);
    const key = newKey();
    const first = await drive.call(write.tool, write.args, keyed(key));
    const second = await twin.call(write.tool, write.args, keyed(key));
    expect(first.isError).toBe(false);
    expect(second.data.id ?? second.data.permission).toEqual(first.data.id ?? first.data.permission);
    expect(await effects(write)).toBe(1);
    expect((await drive.sandbox.state()).mails).toHaveLength(name === 'share' ? 1 : 0);
  });

  test.each(ALL)('%s takes effect once where the first answer was dropped after it took effect', async (name) => {
    const write = await of(name);
    const key = newKey();
    await order(write, 'drop_after');
    await drive.call(write.tool, write.args, keyed(key));
    const second = await twin.call(write.tool, write.args, keyed(key));
    expect(second.isError).toBe(false);
    expect(await effects(write)).toBe(1);
  });

  test('two keys make two files, and no key as many as there are calls', async () => {
    const write = await of('folder');
    for (const headers of [keyed(newKey()), keyed(newKey()), {}, {}]) await drive.call(write.tool, write.args, headers);
    expect(await effects(write)).toBe(4);
  });

  test('a copy does not answer for its original', async () => {
    const key = newKey();
    const { data } = await drive.call('create_folder', { name: 'Gala' }, keyed(key));
    const document = await drive.call('create_document', { name: 'Gala' }, keyed(key));
    await drive.call('copy_file', { fileId: document.data.id });
    expect((await twin.call('create_document', { name: 'Gala' }, keyed(key))).data.id).toBe(document.data.id);
    expect((await twin.call('create_folder', { name: 'Gala' }, keyed(key))).data.id).toBe(data.id);
    const { files } = await drive.sandbox.state();
    const carrying = files.filter((file: { appProperties: object }) => 'mcpBridgeKey' in file.appProperties);
    expect(carrying).toHaveLength(2);
  });

  test('a copy that somebody else made, with the properties of its original, does not answer for it either', async () => {
    const key = newKey();
    const { data } = await drive.call('create_document', { name: 'Gala' }, keyed(key));
    const { url, env } = drive.sandbox;
    const credentials = {
      grant_type: 'refresh_token',
      client_id: env.GOOGLE_CLIENT_ID ?? '',
      client_secret: env.GOOGLE_CLIENT_SECRET ?? '',
      refresh_token: env.GOOGLE_REFRESH_TOKEN ?? '',
    };
    const token = await fetch(`${url}/token`, { method: 'POST', body: new URLSearchParams(credentials) });
    const { access_token: bearer } = (await token.json()) as { readonly access_token: string };
    const headers = { authorization: `Bearer ${bearer}` };
    const copied = await fetch(`${url}${FILES}/${data.id}/copy`, { method: 'POST', headers });
    expect(copied.status).toBe(200);
    expect((await twin.call('create_document', { name: 'Gala' }, keyed(key))).data.id).toBe(data.id);
  });

  test('a file that is in the trash by now is still the one that was made', async () => {
    const key = newKey();
    const { data } = await drive.call('create_folder', { name: 'Gala' }, keyed(key));
    await drive.call('trash_file', { fileId: data.id });
    expect((await twin.call('create_folder', { name: 'Gala' }, keyed(key))).data).toMatchObject({
      id: data.id,
      trashed: true,
    });
  });
});

describe('an answer that got lost', () => {
  test.each(['folder', 'upload', 'share'] as const)('%s is settled by a look, also without a key', async (name) => {
    const write = await of(name);
    await order(write, 'drop_after');
    expect((await drive.call(write.tool, write.args)).isError).toBe(false);
    expect(await attempts(write)).toBe(1);
  });

  test.each(['empty', 'document', 'copy'] as const)('%s is told as unknown, and sent no second time', async (name) => {
    const write = await of(name);
    await order(write, 'drop_after');
    const { data } = await drive.call(write.tool, write.args);
    expect(data.error).toMatchObject({ code: 'outcome_unknown', retryable: false, executed: 'maybe' });
    expect(await attempts(write)).toBe(1);
  });

  test.each(ALL)('%s that never arrived is unknown too, and sent no second time', async (name) => {
    const write = await of(name);
    await order(write, 'drop_before');
    const { data } = await drive.call(write.tool, write.args, keyed(newKey()));
    expect(data.error).toMatchObject({ code: 'outcome_unknown', retryable: false, executed: 'maybe' });
    expect(await attempts(write)).toBe(1);
    expect(await effects(write)).toBe(0);
  });

  test.each(ALL)('%s that Google failed at (500) is unknown, and sent no second time', async (name) => {
    const write = await of(name);
    await drive.sandbox.fault({ kind: 'status', status: 500, method: 'POST', path: write.path });
    const { data } = await drive.call(write.tool, write.args);
    expect(data.error).toMatchObject({ code: 'outcome_unknown', vendorStatus: 500, executed: 'maybe' });
    expect(await attempts(write)).toBe(1);
  });

  test.each([
    ['update_file', { name: 'New' }],
    ['move_file', { folderId: 'root' }],
    ['trash_file', {}],
  ])('%s, which ends the same when it is done twice, says to try again', async (tool, args) => {
    const fileId = await seeded('Run sheet');
    const path = `${FILES}/${fileId}`;
    await drive.sandbox.fault({ kind: 'drop_after', method: 'PATCH', path });
    expect((await drive.call(tool, { fileId, ...args })).data.error).toMatchObject({
      code: 'vendor_unreachable',
      retryable: true,
    });
    expect((await drive.call(tool, { fileId, ...args })).isError).toBe(false);
    const patches = (await drive.sandbox.received(path)).filter(({ method }) => method === 'PATCH');
    expect(patches).toHaveLength(2);
  });
});

describe('Prefer: reconcile', () => {
  const asks = { prefer: 'reconcile' };

  test.each(['empty', 'document', 'copy'] as const)('%s that took effect is found and told', async (name) => {
    const write = await of(name);
    const key = newKey();
    await order(write, 'drop_after');
    await drive.call(write.tool, write.args, keyed(key));
    const found = await drive.call(write.tool, write.args, keyed(key, asks));
    expect(found.headers['idempotency-reconciled']).toBe('true');
    expect(found.data).toMatchObject({ name: 'Gala' });
    expect((await drive.call(write.tool, write.args, keyed(key))).data).toEqual(found.data);
    expect(await attempts(write)).toBe(1);
  });

  test('an access that took effect is found and told', async () => {
    const write = await of('share');
    const key = newKey();
    const again = { kind: 'status', status: 500, method: 'GET', path: write.path } as const;
    await order(write, 'drop_after');
    // The look that follows a lost answer fails as well, and so does its second try.
    await drive.sandbox.fault({ kind: 'slow', delayMs: 1, method: 'GET', path: write.path });
    await drive.sandbox.fault({ ...again, times: 2 });
    const lost = await drive.call(write.tool, write.args, keyed(key));
    expect(lost.data.error).toMatchObject({ code: 'outcome_unknown' });
    const found = await drive.call(write.tool, write.args, keyed(key, asks));
    expect(found.data).toMatchObject({ permission: { email: 'guest@example.com', role: 'reader' }, notified: true });
    expect(await attempts(write)).toBe(1);
  });

  test.each(ALL)(
    '%s that is not found stays unknown: a search may lag, and a request may be on its way',
    async (name) => {
      const write = await of(name);
      const key = newKey();
      await order(write, 'drop_before');
      await drive.call(write.tool, write.args, keyed(key));
      const found = await drive.call(write.tool, write.args, keyed(key, asks));
      expect(found.status).toBe(409);
      expect(found.json).toMatchObject({ code: 'outcome_unknown', executed: 'maybe' });
      expect(await attempts(write)).toBe(1);
    },
  );
});
