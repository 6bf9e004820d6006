import { describe, expect, test } from 'vitest';
import { sameText } from '../../../bridges/slack/text.ts';

describe('what Slack keeps is known again as what was sent', () => {
  test.each([
    ['a &amp; b &lt; c', 'a & b < c'],
    ['see <https://plan.example/a?b=1&amp;c>', 'see https://plan.example/a?b=1&c'],
    ['see <https://plan.example|plan.example>', 'see https://plan.example'],
    ['write to <mailto:a@b.example|a@b.example>', 'write to a@b.example'],
    ['done :tada: :white_check_mark:', 'done 🎉 ✅'],
    ['two  lines\n', 'two\nlines'],
    ['<@U0ANNIKA001> hi', '<@U0ANNIKA001> hi'],
  ])('%j is %j', (kept, sent) => {
    expect(sameText(kept, sent)).toBe(true);
  });

  test.each([
    ['Doors 18:00', 'Doors 18:30'],
    ['10 €', '10 $'],
    ['<https://plan.example/a>', 'https://plan.example/b'],
    ['<@U0ANNIKA001> hi', '<@U0TOMASZ002> hi'],
    [undefined, 'x'],
  ])('%j is not %j', (kept, sent) => {
    expect(sameText(kept, sent)).toBe(false);
  });
});
