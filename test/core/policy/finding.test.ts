import { describe, expect, it } from 'vitest';
import { readFinding } from '#core/policy/finding.ts';
import { toolResult } from '../../support/calls.ts';

const meta = (found: unknown, more: object = {}) => JSON.stringify({ ...more, 'mcp-bridge-fleet/reconciled': found });

describe('what a tool found', () => {
  it.each([
    [`{"content":[],"_meta":${meta('executed')}}`, '{"content":[]}'],
    [`{"_meta":${meta('executed')},"content":[],"n":12345678901234567890}`, '{"content":[],"n":12345678901234567890}'],
    [
      `{"content":[],"_meta":${meta('executed', { 'vendor/id': 7, 'mcp-bridge-fleet/other': 1 })},"structuredContent":{"a":1.10}}`,
      '{"content":[],"_meta":{"vendor/id":7},"structuredContent":{"a":1.10}}',
    ],
  ])('is the result without what was said to the bridge: %s', (answer, expected) => {
    const finding = readFinding(toolResult(answer));
    if (finding?.found !== 'executed') return expect.unreachable(String(finding?.found));
    const text = Buffer.concat(finding.result.body);
    expect(text.toString()).toBe(expected);
    expect(finding.result).toMatchObject({ length: text.length, isError: false });
  });

  it('is read from an answer in pieces', () => {
    const text = Buffer.from(`{"content":[],"_meta":${meta('not_executed')}}`);
    const body = [text.subarray(0, 17), text.subarray(17, 40), text.subarray(40)];
    expect(readFinding({ body, length: text.length, isError: false })).toEqual({ found: 'not_executed' });
  });

  it.each([
    [{ looked: 'the last 100 messages' }, 'the last 100 messages'],
    [{ looked: 'two\nlines\u202e' }, 'two lines'],
    [{ looked: 'x'.repeat(1_000) }, `${'x'.repeat(300)}…`],
    [{ looked: 7 }, ''],
    [{}, ''],
    [undefined, ''],
    [[], ''],
    [{ looked: 'long', more: 'x'.repeat(70_000) }, ''],
  ])('is where it looked, on one line and not at length', (structuredContent, looked) => {
    const answer = JSON.stringify({ content: [], structuredContent, _meta: JSON.parse(meta('unknown')) });
    expect(readFinding(toolResult(answer))).toEqual({ found: 'unknown', looked });
  });

  it.each([
    '{"content":[]}',
    '{"content":[],"_meta":{}}',
    '{"content":[],"_meta":null}',
    '{"content":[],"_meta":[]}',
    '{"content":[],"_meta":"executed"}',
    `{"content":[],"_meta":${meta('Executed')}}`,
    `{"content":[],"_meta":${meta(true)}}`,
    `{"content":[],"structuredContent":{"_meta":${meta('executed')}}}`,
    `{"content":[],"_meta":${meta('not_executed')},"_meta":${meta('executed')}}`,
    `{"content":[],"_meta":${meta('executed', { more: 'x'.repeat(70_000) })}}`,
  ])('is not said: %s', (answer) => {
    expect(readFinding(toolResult(answer))).toBeUndefined();
  });

  it("is the tool's own failure where it could not look, whatever else it says", () => {
    const error = { code: 'vendor_down', message: 'no answer\nfrom it', retryable: true };
    const answer = { isError: true, structuredContent: { error }, _meta: JSON.parse(meta('not_executed')) };
    expect(readFinding(toolResult(JSON.stringify(answer), true))).toEqual({
      found: 'failed',
      code: 'vendor_down',
      message: 'no answer from it',
      executed: 'yes',
    });
  });
});
