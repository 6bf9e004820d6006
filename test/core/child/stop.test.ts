import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { signalProcessGroup } from '#core/child/process-group.ts';
import { type Child, spawnChild } from '#core/child/spawn.ts';
import { ChildStop } from '#core/child/stop.ts';
import { FAKE_CHILD, isRunning } from '../../support/fake-child.ts';
import { until } from '../../support/until.ts';

const TIMES = { eofMs: 2_000, termMs: 5_000, killMs: 1_000, orphanMs: 1_000 };

describe('the ladder', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  /** A group whose leader and orphans end only when told by the test. */
  function ladder() {
    const steps: string[] = [];
    const leader = Promise.withResolvers<void>();
    const group = { exists: true, settled: false };
    const stop = new ChildStop({
      pid: 12345,
      exited: leader.promise,
      times: TIMES,
      signalGroup: (_pid, signal) => {
        if (signal !== 0) steps.push(signal);
        return group.exists;
      },
    });
    void stop.gone.then(() => {
      group.settled = true;
    });
    return { steps, leader, group, stop, closeInput: () => steps.push('EOF') };
  }

  it('is end of input, SIGTERM and SIGKILL, each after its time, and then gives up', async () => {
    const { steps, group, stop, closeInput } = ladder();
    void stop.gently(closeInput);
    expect(steps).toEqual(['EOF']);
    await vi.advanceTimersByTimeAsync(1_999);
    expect(steps).toEqual(['EOF']);
    await vi.advanceTimersByTimeAsync(1);
    expect(steps).toEqual(['EOF', 'SIGTERM']);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(steps).toEqual(['EOF', 'SIGTERM', 'SIGKILL']);
    expect(group.settled).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(group.settled).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('goes no further than needed', async () => {
    const { steps, leader, group, stop, closeInput } = ladder();
    void stop.gently(closeInput);
    group.exists = false;
    leader.resolve();
    await stop.gone;
    expect(steps).toEqual(['EOF']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is climbed once, however often it is asked for', async () => {
    const { steps, stop, closeInput } = ladder();
    void stop.gently(closeInput);
    void stop.gently(closeInput);
    void stop.now();
    void stop.now();
    void stop.gently(closeInput);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(steps).toEqual(['EOF', 'SIGKILL']);
  });

  it('ends what a leader leaves behind: SIGTERM, then SIGKILL', async () => {
    const { steps, leader, group, stop } = ladder();
    leader.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(steps).toEqual(['SIGTERM']);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(steps).toEqual(['SIGTERM', 'SIGKILL']);
    group.exists = false;
    await vi.advanceTimersByTimeAsync(50);
    expect(group.settled).toBe(true);
    await stop.gone;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not start anew for orphans when its leader ends late', async () => {
    const { steps, leader, group, stop, closeInput } = ladder();
    void stop.gently(closeInput);
    await vi.advanceTimersByTimeAsync(2_000 + 4_900);
    leader.resolve();
    await vi.advanceTimersByTimeAsync(100);
    expect(steps).toEqual(['EOF', 'SIGTERM', 'SIGKILL']);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(group.settled).toBe(true);
  });

  it('sends nothing more to a group that is gone: its number may be another one’s', async () => {
    const { steps, leader, group, stop, closeInput } = ladder();
    group.exists = false;
    leader.resolve();
    await stop.gone;
    group.exists = true;
    void stop.gently(closeInput);
    void stop.now();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(steps).toEqual([]);
  });
});

it('a group id that would mean ourselves or everybody is never signalled', () => {
  // Replaced, not only watched: should the guard ever be gone, this must not signal everything.
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  for (const pid of [0, 1, -1, -5, Number.NaN, 1.5, undefined as unknown as number]) {
    expect(signalProcessGroup(pid, 'SIGTERM')).toBe(false);
  }
  expect(kill).not.toHaveBeenCalled();
  kill.mockRestore();
});

describe('a real group', () => {
  const SHORT = { eofMs: 100, termMs: 200, killMs: 1_000, orphanMs: 200 };

  async function start(env: Record<string, string>): Promise<Child> {
    const child = await spawnChild({
      command: process.execPath,
      args: [FAKE_CHILD],
      env,
      baseEnv: { PATH: process.env.PATH },
      cwd: '/',
    });
    child.stdout.resume();
    child.stderr.resume();
    return child;
  }

  /** Starts grandchildren by a call, and tells their pids. */
  async function fork(child: Child, args: object): Promise<number[]> {
    const answer = new Promise<string>((resolve) => {
      child.stdout.once('data', (line) => resolve(String(line)));
    });
    const params = { name: 'fork', arguments: args };
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })}\n`);
    return JSON.parse(JSON.parse(await answer).result.content[0].text);
  }

  it('of a child that finishes at end of input ends without a signal', async () => {
    const child = await start({});
    await new ChildStop({ pid: child.pid, exited: child.exited }).gently(() => child.stdin.end());
    expect(await child.exited).toEqual({ code: 0, signal: null });
  });

  it('of a child that ignores end of input and SIGTERM ends by SIGKILL', async () => {
    const child = await start({ FAKE_IGNORE_EOF: '1', FAKE_IGNORE_TERM: '1', FAKE_STDERR_AT_START: 'up' });
    const stop = new ChildStop({ pid: child.pid, exited: child.exited, times: SHORT });
    await fork(child, { n: 1 });
    await stop.gently(() => child.stdin.end());
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it.each([
    ['that end by SIGTERM', { n: 3 }],
    ['that ignore SIGTERM', { n: 2, ignoreTerm: true }],
    ['that hold its pipes', { n: 1, inherit: true }],
  ])('of a child with grandchildren %s ends whole', async (_what, args) => {
    const child = await start({});
    const stop = new ChildStop({ pid: child.pid, exited: child.exited, times: SHORT });
    const pids = await fork(child, args);
    expect(pids.every(isRunning)).toBe(true);
    await stop.gently(() => child.stdin.end());
    expect(await child.exited).toEqual({ code: 0, signal: null });
    await until('no grandchild runs', () => !pids.some(isRunning));
    for (const pipe of [child.stdout, child.stderr]) pipe.destroy();
  });

  it('of which only an unreaped process is left counts as gone', async () => {
    // It leads a group of its own; its parent has become a process that never waits for it.
    const child = await spawnChild({
      command: '/bin/sh',
      args: ['-c', 'setsid sleep 0.05 & echo $!; exec sleep 1000'],
      env: {},
      baseEnv: { PATH: process.env.PATH },
      cwd: '/',
    });
    try {
      const zombie = Number(await new Promise((resolve) => child.stdout.once('data', resolve)));
      await until('it has ended', () => !isRunning(zombie));
      expect(process.kill(-zombie, 0)).toBe(true);
      expect(signalProcessGroup(zombie, 0)).toBe(false);
    } finally {
      await new ChildStop({ pid: child.pid, exited: child.exited }).now();
    }
  });

  it('swept has no running process when it counts as gone', async () => {
    const child = await start({});
    const stop = new ChildStop({ pid: child.pid, exited: child.exited, times: { ...SHORT, orphanMs: 60_000 } });
    const pids = await fork(child, { n: 2 });
    process.kill(child.pid, 'SIGKILL');
    await stop.gone;
    expect(pids.some(isRunning)).toBe(false);
  });

  it('of a child that dies by itself is swept too', async () => {
    const child = await start({});
    const stop = new ChildStop({ pid: child.pid, exited: child.exited, times: SHORT });
    const pids = await fork(child, { n: 2 });
    process.kill(child.pid, 'SIGKILL');
    await stop.gone;
    await until('no grandchild runs', () => !pids.some(isRunning));
  });
});
