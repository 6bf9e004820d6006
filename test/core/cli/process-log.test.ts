import { afterEach, expect, it, vi } from 'vitest';
import { processLog } from '../../../core/cli/process-log.ts';

afterEach(() => void vi.restoreAllMocks());

it('secrets that the process is told of later are hidden too, and those of before stay hidden', () => {
  const lines: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  const log = processLog({ log: { level: 'info', access: true }, secrets: ['canary-one'] });
  log.info('of canary-one and canary-two');
  log.hide(['canary-two']);
  log.info('of canary-one and canary-two');
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
    'of [redacted] and canary-two',
    'of [redacted] and [redacted]',
  ]);
});
