import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { BridgeError, type ErrorCode } from '#core/errors.ts';
import { isRetryable, PROBLEMS, toProblem } from '#core/http/problem.ts';

const FROM_THE_FRONT = ['no_replica', 'replica_lost'];

describe('the table of problems', () => {
  test('has an entry with cause, cure and the same status for every code in PROBLEMS.md, and no other', async () => {
    const text = await readFile(new URL('../../../core/http/PROBLEMS.md', import.meta.url), 'utf8');
    const entries = [...text.matchAll(/^### `([a-z_]+)` \((\d+)\)\n\n- Cause: .+\n- Cure: .+$/gm)];
    const documented = Object.fromEntries(entries.map(([, code, status]) => [code, Number(status)]));
    const headings = [...text.matchAll(/^###/gm)];
    expect(entries.length, 'each heading has its two lines').toBe(headings.length);
    for (const code of FROM_THE_FRONT) delete documented[code];
    expect(documented).toEqual(
      Object.fromEntries(Object.entries(PROBLEMS).map(([code, { status }]) => [code, status])),
    );
  });
});

describe('a problem', () => {
  const context = {
    requestId: 'r-1',
    bridge: 'slack',
    tool: 'post',
    effect: 'write',
    traceId: 'a'.repeat(32),
  } as const;

  test('states everything the contract names', () => {
    const error = new BridgeError('queue_full', '256 calls wait, at most 256 may', { retryAfterMs: 1200 });
    const problem = toProblem(error, context);
    expect(JSON.parse(problem.body)).toEqual({
      type: 'urn:mcp-bridge:problem:queue_full',
      title: expect.any(String),
      status: 503,
      detail: '256 calls wait, at most 256 may',
      instance: 'r-1',
      code: 'queue_full',
      bridge: 'slack',
      tool: 'post',
      executed: 'no',
      retryable: true,
      retryAfterMs: 1200,
      traceId: 'a'.repeat(32),
    });
    expect(header(problem.headers, 'Retry-After')).toBe('2');
    expect(header(problem.headers, 'Content-Type')).toBe('application/problem+json');
  });

  test.each(Object.keys(PROBLEMS) as ErrorCode[])('%s carries the headers of its status', (code) => {
    const { status, headers } = toProblem(new BridgeError(code, 'x'), { requestId: 'r', allow: 'GET' });
    expect(header(headers, 'Retry-After')).toBe(status === 429 || status === 503 ? '1' : undefined);
    expect(header(headers, 'WWW-Authenticate') !== undefined).toBe(status === 401);
    expect(header(headers, 'Allow')).toBe(status === 405 ? 'GET' : undefined);
    expect(header(headers, 'Accept-Post')).toBe(status === 415 ? 'application/json' : undefined);
    expect(header(headers, 'Accept-Encoding')).toBe(status === 415 ? 'identity' : undefined);
  });

  test('never shows the text of an error that is not ours', () => {
    const problem = toProblem(new TypeError('secret /etc/path'), context);
    expect(problem).toMatchObject({ status: 500, code: 'internal', executed: 'maybe' });
    expect(problem.body).not.toContain('secret');
  });

  test('is pure ASCII, so that its length is that of its text', () => {
    const { body } = toProblem(new BridgeError('child_error', 'größer 😀'), context);
    expect(Buffer.byteLength(body)).toBe(body.length);
    expect(JSON.parse(body).detail).toBe('größer 😀');
  });

  test('is retryable only where a repeat may succeed and cannot run a side effect twice', () => {
    expect(isRetryable('child_crashed', 'maybe', 'read')).toBe(true);
    expect(isRetryable('child_crashed', 'maybe', 'idempotent')).toBe(true);
    expect(isRetryable('child_crashed', 'maybe', 'write')).toBe(false);
    expect(isRetryable('child_crashed', 'maybe', undefined)).toBe(false);
    expect(isRetryable('deadline_exceeded', 'no', 'write')).toBe(true);
    expect(isRetryable('child_response_too_large', 'maybe', 'read')).toBe(false);
    expect(isRetryable('invalid_json', 'no', 'read')).toBe(false);
    expect(isRetryable('tool_error', 'yes', 'read')).toBe(false);
  });
});

function header(headers: readonly string[], name: string): string | undefined {
  const at = headers.indexOf(name);
  return at === -1 ? undefined : headers[at + 1];
}
