import { expect, it } from 'vitest';
import { residentBytes } from '#core/child/memory.ts';
import { spawnChild } from '#core/child/spawn.ts';
import { ChildStop } from '#core/child/stop.ts';
import { until } from '../../support/until.ts';

it('a process has resident memory of a plausible size', () => {
  const own = residentBytes(process.pid) ?? 0;
  expect(own).toBeGreaterThan(20e6);
  expect(own).toBeLessThan(4e9);
});

it('what a launcher starts counts with it', async () => {
  const child = await spawnChild({
    command: '/bin/sh',
    args: ['-c', '"$0" -e "setInterval(() => {}, 1e6)"; true', process.execPath],
    env: {},
    baseEnv: {},
    cwd: '/',
  });
  // A shell alone has about one MB.
  await until('the started process counts', () => (residentBytes(child.pid) ?? 0) > 20e6);
  await new ChildStop({ pid: child.pid, exited: child.exited }).now();
  expect(residentBytes(child.pid)).toBeUndefined();
});
