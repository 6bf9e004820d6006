import { describe, expect, it } from 'vitest';
import { toolFailureOf } from '#core/policy/tool-failure.ts';
import { toolResult } from '../../support/calls.ts';

const said = (error: unknown, more: object = {}) =>
  toolFailureOf(
    toolResult(JSON.stringify({ content: [], isError: true, structuredContent: { error }, ...more }), true),
  );

describe('what a tool says of its failure', () => {
  it.each(['{}', '{"structuredContent":{}}', '{"structuredContent":{"error":"no"}}', '{"structuredContent":null}'])(
    'is nothing where it gives no code: %s',
    (answer) => {
      expect(toolFailureOf(toolResult(answer, true))).toEqual({ code: '', message: '', executed: 'yes' });
    },
  );

  it('is that nothing was executed, in this one word and place', () => {
    expect(said({ code: 'vendor_rate_limited', message: 'later', executed: 'no' })).toEqual({
      code: 'vendor_rate_limited',
      message: 'later',
      executed: 'no',
    });
    for (const executed of ['NO', 'no ', false, 0, null, ['no'], { no: true }, undefined]) {
      expect(said({ code: 'x', executed }).executed).toBe('yes');
    }
    expect(said({ code: 'x' }, { executed: 'no', _meta: { executed: 'no' } }).executed).toBe('yes');
  });

  it.each([
    [{ code: 'vendor_down', executed: 'maybe' }],
    [{ code: 'outcome_unknown' }],
    [{ code: 'outcome_unknown', executed: 'yes' }],
    [{ code: 'outcome_unknown', executed: 'no' }],
  ])('is that it does not know, which weighs more than anything else it says: %o', (error) => {
    expect(said(error).executed).toBe('maybe');
  });

  it('is not looked for in a long answer, and in none that is no JSON', () => {
    expect(said({ code: 'x', executed: 'no', more: 'x'.repeat(70_000) })).toEqual({
      code: '',
      message: '',
      executed: 'yes',
    });
    expect(toolFailureOf(toolResult('{"structuredContent":{"error":{"executed":"no"}}', true)).executed).toBe('yes');
  });

  it('is read from an answer in pieces', () => {
    const text = Buffer.from('{"structuredContent":{"error":{"code":"x","executed":"no"}},"isError":true}');
    const body = [text.subarray(0, 40), text.subarray(40, 60), text.subarray(60)];
    expect(toolFailureOf({ body, length: text.length, isError: true }).executed).toBe('no');
  });
});
