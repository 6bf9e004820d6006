import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StderrTail } from '#core/child/stderr-tail.ts';

function tailOf(secrets: readonly string[] = []) {
  const stream = new PassThrough();
  const told: string[] = [];
  const tail = new StderrTail(stream, { secrets, onLine: (line) => told.push(line) });
  const write = async (text: string | Buffer) => {
    stream.write(text);
    await vi.advanceTimersByTimeAsync(0);
  };
  return { stream, told, tail, write };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('lines of stderr', () => {
  it('are told whole, however they arrive', async () => {
    const { told, tail, write } = tailOf();
    await write('on');
    expect(told).toEqual([]);
    await write('e\ntwo\r\n\nthr');
    await write(Buffer.from('ee €').subarray(0, 5));
    await write(Buffer.from('ee €\n').subarray(5));
    expect(told).toEqual(['one', 'two', 'three €']);
    expect(tail.text()).toBe('one\ntwo\nthree €');
    expect(tail.bytes).toBe(Buffer.byteLength('one\ntwo\r\n\nthree €\n'));
  });

  it('are kept up to the last 64', async () => {
    const { tail, write } = tailOf();
    for (let n = 0; n < 50; n += 1) await write(`early ${n}\n`);
    await write(Array.from({ length: 200 }, (_, n) => `late ${n}\n`).join(''));
    const lines = tail.text().split('\n');
    expect(lines).toHaveLength(64);
    expect(lines[0]).toBe('late 136');
    expect(lines[63]).toBe('late 199');
  });

  it('are kept up to 16 KiB, the last ones', async () => {
    const { tail, write } = tailOf();
    for (let n = 0; n < 10; n += 1) await write(`${n}${'x'.repeat(3_000)}\n`);
    expect(tail.text().length).toBeLessThanOrEqual(16 * 1024);
    expect(
      tail
        .text()
        .split('\n')
        .map((line) => line[0]),
    ).toEqual(['5', '6', '7', '8', '9']);
  });

  it('are cut at 8 KiB, whatever they hold and even if they never end', async () => {
    const { told, tail, write } = tailOf();
    await write(`${'€'.repeat(10_000)}\n`);
    expect(Buffer.byteLength(told[0] as string)).toBeLessThanOrEqual(8 * 1024);
    for (let n = 0; n < 50; n += 1) await write(Buffer.alloc(65_536, 0xff));
    expect(Buffer.byteLength(tail.text())).toBeLessThanOrEqual(16 * 1024);
    await write('\nnext\n');
    expect(told).toHaveLength(3);
    expect(told[2]).toBe('next');
  });

  it('hold no control characters', async () => {
    const { told, write } = tailOf();
    await write('\u001b[31mred\u001b[0m \u0007bell \u001b]0;title\u0007 \u202eevil\n');
    expect(told[0]).toMatch(/^red .*bell .*evil$/);
    expect(told[0]).not.toMatch(/[\p{Cc}\u202e]/u);
  });

  it('that end with the stream and not with a newline are told', async () => {
    const { told, tail, stream, write } = tailOf();
    await write('Error: no');
    expect(tail.text()).toBe('Error: no');
    stream.destroy();
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(['Error: no']);
  });
});

describe('a flood', () => {
  it('is told at 50 lines a second; what is left out is counted and said', async () => {
    const { told, tail, write } = tailOf();
    await write('x\n'.repeat(1_000));
    expect(told).toHaveLength(50);
    expect(tail.droppedLines).toBe(950);
    await vi.advanceTimersByTimeAsync(1_000);
    await write('calm\n');
    expect(told.slice(50)).toEqual(['[950 lines left out]', 'calm']);
    expect(tail.droppedLines).toBe(950);
  });

  it('that ends with the stream is accounted for', async () => {
    const { told, stream, write } = tailOf();
    await write('x\n'.repeat(60));
    stream.destroy();
    await vi.advanceTimersByTimeAsync(0);
    expect(told.at(-1)).toBe('[10 lines left out]');
  });
});

describe('a secret in stderr', () => {
  const SECRET = 'sk_live_0123456789abcdef';

  it('is neither told nor kept', async () => {
    const { told, tail, write } = tailOf([SECRET]);
    await write(`token ${SECRET.slice(0, 5)}`);
    await write(`${SECRET.slice(5)} refused\n`);
    expect(told).toEqual(['token [redacted] refused']);
    expect(tail.text()).toBe('token [redacted] refused');
  });

  it('is not told in part where a line is cut', async () => {
    for (let before = 7_700; before <= 8_300; before += 7) {
      const { told, tail, write } = tailOf([SECRET]);
      await write(`${`${SECRET} `.repeat(10)}${'x'.repeat(before)}${SECRET}${'y'.repeat(200)}\n`);
      expect(`${told[0]}${tail.text()}`).not.toContain('sk_l');
      await vi.advanceTimersByTimeAsync(1_000);
    }
  });

  it('is not shown in part while its line is still being written', async () => {
    const { tail, write } = tailOf([SECRET]);
    await write(`token ${SECRET.slice(0, -1)}`);
    expect(tail.text()).not.toContain('sk_l');
  });
});
