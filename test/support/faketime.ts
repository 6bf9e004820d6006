import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The one for processes with several threads. */
const LIBRARY = 'libfaketimeMT.so.1';

/** Where packages put it, by their system. */
function candidates(): string[] {
  const triplets = existsSync('/usr/lib') ? readdirSync('/usr/lib').filter((name) => name.includes('-linux-')) : [];
  const folders = [...triplets.map((triplet) => join('/usr/lib', triplet)), '/usr/lib', '/usr/lib64', '/usr/local/lib'];
  return [process.env.TEST_LIBFAKETIME ?? '', ...folders.map((folder) => join(folder, 'faketime', LIBRARY))];
}

/** A wall clock that a test sets for the processes that it starts; the monotonic clock stays true. */
export interface FakeClock extends Disposable {
  /** For the environment of a process. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on the wall clock of those processes is so far from the true one, in seconds. */
  jump(seconds: number): void;
}

/** @throws Error saying what to install where there is no libfaketime on this machine */
export function fakeClock(): FakeClock {
  const library = candidates().find((path) => path !== '' && existsSync(path));
  if (library === undefined) {
    throw new Error(
      'This test needs libfaketime: apt-get install faketime (Debian, Ubuntu), or name the library in TEST_LIBFAKETIME.',
    );
  }
  const folder = mkdtempSync(join(tmpdir(), 'clock-'));
  const file = join(folder, 'offset');
  const jump = (seconds: number): void => writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  jump(0);
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    jump,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
