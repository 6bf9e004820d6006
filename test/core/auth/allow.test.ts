import { describe, expect, it } from 'vitest';
import { Allow, isPattern } from '#core/auth/allow.ts';

describe('a pattern', () => {
  it.each(['slack:*', 'stripe:list_*', '*:*', 'a-1:get.thing', 's*:*_read', '*:a*b*c'])('%s is one', (pattern) => {
    expect(isPattern(pattern)).toBe(true);
  });

  it.each([
    ['no colon', 'slack'],
    ['two colons', 'slack:a:b'],
    ['an empty part', 'slack:'],
    ['another empty part', ':post'],
    ['a bridge in capitals', 'Slack:*'],
    ['a space', 'slack: *'],
    ['signs of a regular expression', 'slack:(a+)+$'],
    ['too many characters', `slack:${'a'.repeat(260)}`],
    ['nothing', ''],
  ])('with %s is none, and allows nothing', (_, pattern) => {
    expect(isPattern(pattern)).toBe(false);
    const allow = new Allow([pattern]);
    expect(allow.mayCall('slack', 'post')).toBe(false);
    expect(allow.mayUse('slack')).toBe(false);
  });
});

describe('what is allowed', () => {
  it.each([
    ['slack:post', 'slack', 'post', true],
    ['slack:post', 'slack', 'post2', false],
    ['slack:post', 'slack', 'pos', false],
    ['slack:post', 'slac', 'post', false],
    ['slack:*', 'slack', 'anything.at-all', true],
    ['slack:*', 'slack2', 'post', false],
    ['stripe:list_*', 'stripe', 'list_charges', true],
    ['stripe:list_*', 'stripe', 'list_', true],
    ['stripe:list_*', 'stripe', 'list', false],
    ['stripe:list_*', 'stripe', 'create_list_x', false],
    ['*:*', 'a', 'b', true],
    ['*:read', 'gdrive', 'read', true],
    ['*:read', 'gdrive', 'write', false],
    ['s*:*', 'stripe', 'x', true],
    ['s*:*', 'twilio', 'x', false],
    ['*-eu:get_*_by_id', 'crm-eu', 'get_user_by_id', true],
    ['*-eu:get_*_by_id', 'crm-eu', 'get_by_id', false],
    ['x:a*a', 'x', 'a', false],
    ['x:a*a', 'x', 'aa', true],
    ['x:ab*b*ba', 'x', 'abba', false],
    ['x:ab*b*ba', 'x', 'abbba', true],
    ['x:**a**', 'x', 'bab', true],
    ['x:*ab*ab*', 'x', 'ab', false],
    ['x:*.*', 'x', 'ab', false],
  ])('%s, asked for %s %s: %s', (pattern, bridge, tool, expected) => {
    expect(new Allow([pattern]).mayCall(bridge, tool)).toBe(expected);
  });

  it('is what any of several patterns fits', () => {
    const allow = new Allow(['slack:post', 'slack:list_*', '*:ping']);
    expect(['post', 'list_users', 'ping', 'delete'].map((tool) => allow.mayCall('slack', tool))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(allow.mayCall('stripe', 'ping')).toBe(true);
    expect(allow.mayCall('stripe', 'post')).toBe(false);
  });

  it('shows a bridge where any of its tools might be called', () => {
    const allow = new Allow(['slack:post', 's*e:*']);
    expect(['slack', 'stripe', 'twilio'].map((bridge) => allow.mayUse(bridge))).toEqual([true, true, false]);
    expect(new Allow([]).mayUse('slack')).toBe(false);
  });

  it('agrees with a slow and simple reading of the pattern', () => {
    const letters = ['a', 'b', '*'];
    const words = (alphabet: readonly string[], length: number): string[] =>
      length === 0 ? [''] : ['', ...alphabet.flatMap((c) => words(alphabet, length - 1).map((rest) => c + rest))];
    const naive = (pattern: string, text: string): boolean => {
      if (pattern === '') return text === '';
      if (pattern[0] !== '*') return text[0] === pattern[0] && naive(pattern.slice(1), text.slice(1));
      return naive(pattern.slice(1), text) || (text !== '' && naive(pattern, text.slice(1)));
    };
    const texts = [...new Set(words(['a', 'b'], 5))].filter((text) => text !== '');
    for (const pattern of new Set(words(letters, 5))) {
      if (pattern === '') continue;
      const allow = new Allow([`x:${pattern}`]);
      const wrong = texts.filter((text) => allow.mayCall('x', text) !== naive(pattern, text));
      expect({ pattern, wrong }).toEqual({ pattern, wrong: [] });
    }
  });
});
