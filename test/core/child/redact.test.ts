import { describe, expect, it } from 'vitest';
import { printable, Redactor } from '#core/child/redact.ts';

describe('a secret', () => {
  it('is hidden wherever it stands', () => {
    expect(new Redactor(['hunter2']).redact('a=hunter2&b=hunter2!')).toBe('a=[redacted]&b=[redacted]!');
  });

  it('is hidden percent-encoded and inside JSON', () => {
    const redactor = new Redactor(['p@ss "word"/+']);
    expect(redactor.redact('?key=p%40ss%20%22word%22%2F%2B')).toBe('?key=[redacted]');
    expect(redactor.redact('{"key":"p@ss \\"word\\"/+"}')).toBe('{"key":"[redacted]"}');
  });

  it('of several lines is hidden line by line', () => {
    const redactor = new Redactor(['-----BEGIN-----\nMIIEabcdef\n-----END-----']);
    expect(redactor.redact('read MIIEabcdef from file')).toBe('read [redacted] from file');
  });

  it('is hidden also where escape sequences split it', () => {
    expect(new Redactor(['hunter2']).redact('hun\u001b[31mter\u001b[0m2')).toBe('[redacted]');
  });

  it('that begins with another one is hidden whole', () => {
    expect(new Redactor(['abcd', 'abcdefgh']).redact('abcdefgh')).toBe('[redacted]');
  });

  it('may look like a regular expression', () => {
    expect(new Redactor(['a.*b(c']).redact('aXXb a.*b(c')).toBe('aXXb [redacted]');
  });

  it('shorter than four characters is left alone', () => {
    expect(new Redactor(['1', '']).redact('1 of 11')).toBe('1 of 11');
  });

  it('cut in half by the end of the text is left out with the end', () => {
    const redactor = new Redactor(['hunter2-hunter2']);
    expect(redactor.redact('the key is hunter2-hun', true)).not.toContain('hunter2');
    expect(redactor.redact('hunter2-hunter2 then hunter2-', true)).toBe('[redacted]');
  });
});

it('printable text is one line that hides nothing', () => {
  expect(printable('a\nb\u001b[31mc\u0000\u202e\u2028d\t€')).toBe(
    'a\\u{a}b\\u{1b}[31mc\\u{0}\\u{202e}\\u{2028}d\\u{9}€',
  );
});
