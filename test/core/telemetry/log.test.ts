import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { createLog, type LogOptions } from '#core/telemetry/log.ts';

/** A stream that keeps what is written. */
class Kept extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}

function logging(options: Partial<LogOptions> = {}) {
  const output = new Kept();
  const log = createLog({ output, level: 'debug', ...options });
  const line = () => JSON.parse(output.text) as Record<string, unknown>;
  return { log, output, line };
}

it('an event is one JSON line with level, time, message and fields', () => {
  const { log, output, line } = logging();
  log.info('ready', { url: 'http://127.0.0.1:1', workers: 2 });
  expect(output.text).toMatch(/^[^\n]+\n$/);
  expect(line()).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    msg: 'ready',
    url: 'http://127.0.0.1:1',
    workers: 2,
  });
});

it('lines below the level are not written, and silent writes none', () => {
  const { log, output } = logging({ level: 'warn' });
  log.info('a');
  log.warn('b');
  expect(output.text.match(/"msg":"."/g)).toEqual(['"msg":"b"']);
  const silent = logging({ level: 'silent' });
  silent.log.error('c');
  expect(silent.output.text).toBe('');
});

it('newlines, escape sequences and direction marks stay inside one line, escaped', () => {
  const { log, output, line } = logging();
  const evil = 'a\nb\r\u001b[2J\u009b1m\u2028\u202e\u0000%s %d';
  log.warn(evil, { [evil]: evil, list: [evil] });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these must be absent.
  expect(output.text.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
  expect(line()).toMatchObject({ msg: evil, [evil]: evil, list: [evil] });
});

it('no line is longer than 16 KiB, whatever is in it', () => {
  const { log, output, line } = logging();
  const deep: Record<string, unknown> = {};
  deep.self = deep;
  const wild = '\u009b'.repeat(50_000);
  log.error(wild, {
    wild,
    again: wild,
    deep,
    list: Array.from({ length: 5000 }, () => wild),
    ...Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}${wild}`, i])),
  });
  log.error('x'.repeat(10_000));
  const [first = '', second = ''] = output.text.split('\n');
  expect(Buffer.byteLength(first)).toBeLessThanOrEqual(16_384);
  expect(JSON.parse(first)).toMatchObject({ cut: true });
  expect(JSON.parse(second).msg).toMatch(/^x{4056}… \[10000 characters\]$/);
  expect(line).toThrow();
});

it('a field named like a member of the line does not hide it', () => {
  const { log, output, line } = logging();
  log.info('real', { msg: 'fake', level: 'fatal', time: 1, __proto__: null });
  expect(output.text.match(/"msg":/g)).toHaveLength(1);
  expect(line()).toMatchObject({ level: 'info', msg: 'real', msg_: 'fake', level_: 'fatal', time_: 1 });
});

it('errors tell their name, message, code, stack and cause; what cannot be read is said', () => {
  const { log, line } = logging();
  const error = Object.assign(new Error('outer', { cause: new TypeError('inner') }), { code: 'EX' });
  log.error('failed', {
    error,
    size: 5n,
    bytes: Buffer.from('secret'),
    none: undefined,
    get bad() {
      throw new Error('no');
    },
  });
  expect(line()).toMatchObject({
    error: {
      name: 'Error',
      message: 'outer',
      code: 'EX',
      stack: expect.stringContaining('log.test.ts'),
      cause: { name: 'TypeError', message: 'inner' },
    },
    size: '5',
    bytes: '[6 bytes]',
    bad: '[unreadable]',
  });
});

it('secrets are taken out of messages, names, values and errors before anything is cut', () => {
  const { log, output } = logging({ redact: (text) => text.replaceAll('canary', '[redacted]') });
  log.info('a canary', {
    canary: 1,
    deep: [{ b: 'canary' }],
    error: new Error('canary'),
    long: `${'x'.repeat(4051)}canary`,
  });
  expect(output.text).not.toContain('cana');
  expect(output.text.match(/\[redacted\]/g)?.length).toBeGreaterThanOrEqual(5);
});

it('a pretty line is for a person: time of day, message, name=value, still one line', () => {
  const { log, output } = logging({ pretty: true });
  log.warn('a\nb', { event: 'worker:ended', text: 'c d\u001b[2J' });
  expect(output.text).toMatch(/^\d\d:\d\d:\d\d warn a\\nb event=worker:ended text="c d\\u001b\[2J"\n$/);
});

it('colours are drawn only where asked for', () => {
  const { log, output } = logging({ pretty: true, colours: true });
  log.error('x');
  expect(output.text).toContain('\u001b[31merror\u001b[39m');
});

it('a line that the stream refuses is counted, and the next one is tried again', () => {
  const answers = [new Error('ENOSPC'), undefined];
  const output = new Kept();
  const write = (line: string, done: (error?: Error) => void): boolean => {
    const error = answers.shift();
    if (error === undefined) output.text += line;
    done(error);
    return true;
  };
  output.write = write as Kept['write'];
  const log = createLog({ output, level: 'info' });
  log.info('lost');
  log.info('kept');
  expect(log.losses).toEqual({ failed: 1, dropped: 0 });
  expect(output.text).toContain('kept');
  expect(output.text).not.toContain('lost');
});

it('a reader that takes nothing costs a bounded buffer, and lines beyond it are counted; flushing ends all the same', async () => {
  const output = new Writable({ write() {} });
  const log = createLog({ output, level: 'info' });
  for (let i = 0; i < 600; i++) log.info('x'.repeat(4096));
  expect(output.writableLength).toBeLessThan(1024 * 1024 + 16_384);
  expect(log.losses.dropped).toBeGreaterThan(50);
  await log.flush(20);
});
