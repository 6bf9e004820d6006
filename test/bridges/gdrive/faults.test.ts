import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startSandbox } from '../../../bridges/gdrive/sandbox.ts';
import { Fleet } from '../../support/fleet.ts';
import { openStdioServer } from '../../support/stdio-server.ts';
import { startVendor, type Vendor } from '../../support/vendor.ts';

const SERVER = fileURLToPath(new URL('../../../bridges/gdrive/server.ts', import.meta.url));
const FILES = '/drive/v3/files';
const SECRETS = ['sandbox-client-secret', '1//sandbox-refresh-token', 'ya29.'];

let drive: Vendor;

beforeAll(async () => {
  drive = await startVendor('gdrive');
});
afterAll(() => drive?.[Symbol.asyncDispose]());
beforeEach(() => drive.sandbox.reset());

const search = (headers: Record<string, string> = {}) =>
  drive.call('search_files', { nameContains: 'Budget' }, headers);

describe('a read', () => {
  test.each(['drop_before', 'drop_after', 'malformed'] as const)('is asked once more after %s', async (kind) => {
    await drive.sandbox.fault({ kind, path: FILES });
    expect((await search()).data.files).toHaveLength(1);
    expect(await drive.sandbox.received(FILES)).toHaveLength(2);
  });

  test('that fails twice is worth repeating later', async () => {
    await drive.sandbox.fault({ kind: 'status', status: 503, path: FILES, times: 2 });
    expect((await search()).data.error).toMatchObject({
      code: 'vendor_unavailable',
      retryable: true,
      vendorStatus: 503,
      vendorCode: 'backendError',
    });
    expect((await search()).isError).toBe(false);
  });

  test('slower than the deadline is given up within it, and the next one is served', async () => {
    await drive.sandbox.fault({ kind: 'slow', delayMs: 20_000, path: FILES });
    const answer = await search({ 'x-request-timeout-ms': '500' });
    expect(answer.data?.error.code ?? answer.json.code).toBe('deadline_exceeded');
    expect((await search()).data.files).toHaveLength(1);
  });

  test('of a content whose connection breaks is read anew', async () => {
    const { id } = (await search()).data.files[0];
    await drive.sandbox.fault({ kind: 'drop_before', path: `${FILES}/${id}/export` });
    expect((await drive.call('read_file', { fileId: id })).data.text).toContain('Planned EUR');
  });
});

test('a write that Google limits is told the time to wait and sent once (429)', async () => {
  await drive.sandbox.fault({ kind: 'status', status: 429, retryAfterSeconds: 1, method: 'POST', path: FILES });
  const { data } = await drive.call('create_folder', { name: 'Gala' });
  expect(data.error).toMatchObject({
    code: 'vendor_rate_limited',
    retryable: true,
    retryAfterMs: 1_000,
    executed: 'no',
    vendorCode: 'rateLimitExceeded',
  });
  expect((await drive.sandbox.received(FILES)).filter(({ method }) => method === 'POST')).toHaveLength(1);
});

test('Google losing the right to a file is told as such (403)', async () => {
  const { id } = (await search()).data.files[0];
  await drive.sandbox.fault({ kind: 'status', status: 403, path: `${FILES}/${id}` });
  expect((await drive.call('get_file', { fileId: id })).data.error).toMatchObject({
    code: 'permission_denied',
    retryable: false,
    vendorCode: 'forbidden',
  });
});

test('no secret is ever in an answer or in the log', async () => {
  await drive.sandbox.fault({ kind: 'status', status: 401, path: FILES, times: 2 });
  const { text, data } = await search();
  expect(data.error).toMatchObject({ code: 'credentials_refused', retryable: false });
  expect(data.error.hint).toContain('GOOGLE_REFRESH_TOKEN');
  for (const secret of SECRETS) {
    expect(text).not.toContain(secret);
    expect(drive.fleet.everything()).not.toContain(secret);
  }
});

describe('credentials', () => {
  test('without any the server ends with 78 and says what to set', () => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [SERVER], { env: {}, encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 78, stdout: '' });
    expect(stderr).toMatch(
      /^GOOGLE_SERVICE_ACCOUNT_JSON is missing: .* or set GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, /,
    );
  });

  test('without any the bridge is served as not configured, and names both ways to sign in', async () => {
    await using fleet = await Fleet.start({ args: ['serve', 'gdrive'] });
    const answer = await fleet.request('/gdrive/mcp/tools/search_files', {});
    expect(answer.status).toBe(503);
    expect(answer.json).toMatchObject({ code: 'not_configured', executed: 'no' });
    expect(answer.json.detail).toContain(
      'GOOGLE_SERVICE_ACCOUNT_JSON (or GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, GOOGLE_REFRESH_TOKEN)',
    );
  });

  test('those that Google refuses are told by the variable, and nothing is asked of Drive', async () => {
    await using sandbox = await startSandbox({ dataDir: '' });
    const env = { ...sandbox.env, GOOGLE_REFRESH_TOKEN: 'canary', PATH: process.env.PATH ?? '' };
    await using server = await openStdioServer('gdrive', env);
    const { data } = await server.call('search_files', {});
    expect(data.error).toMatchObject({ code: 'credentials_refused', vendorCode: 'invalid_grant' });
    expect(data.error.hint).toContain('GOOGLE_REFRESH_TOKEN');
    expect(JSON.stringify(data) + server.stderr()).not.toContain('canary');
  });
});

test('a file is opened to everybody where the operator allows it', async () => {
  await using sandbox = await startSandbox({ dataDir: '' });
  await using server = await openStdioServer('gdrive', { ...sandbox.env, GDRIVE_ALLOW_PUBLIC_LINKS: 'true' });
  const found = await server.call('search_files', { nameContains: 'Budget' });
  const fileId = found.data.files[0].id;
  const shared = await server.call('share_file', { fileId, type: 'anyone', role: 'reader' });
  expect(shared.data.permission).toMatchObject({ id: 'anyoneWithLink', type: 'anyone', role: 'reader' });
});
