import { describe, expect, it } from 'vitest';
import { Cancellation, type Canceller, unlessAborted } from '#core/cancellation.ts';

const REASON = new Error('enough');

/** What listeners see who come, go, come twice, and make each other go; told as one list. */
function story(cancellation: Canceller): unknown[] {
  const { signal } = cancellation;
  const told: unknown[] = [];
  const object = { handleEvent: () => told.push('object', signal.aborted, signal.reason) };
  const gone = (): void => void told.push('gone');
  const twice = (): void => void told.push('twice');
  const last = (): void => void told.push('last');
  const remover = (): void => {
    told.push('remover');
    signal.removeEventListener('abort', remover);
    signal.removeEventListener('abort', last);
    signal.addEventListener('abort', () => told.push('added while told'));
  };
  told.push(signal.aborted, signal.reason);
  signal.throwIfAborted();
  for (const listener of [object, gone, twice, remover, last, twice]) signal.addEventListener('abort', listener);
  signal.removeEventListener('abort', gone);
  signal.removeEventListener('abort', gone);
  cancellation.abort(REASON);
  cancellation.abort(new Error('again'));
  signal.addEventListener('abort', () => told.push('too late'));
  try {
    signal.throwIfAborted();
  } catch (error) {
    told.push(error);
  }
  return [...told, signal.aborted, signal.reason];
}

describe('a cancellation', () => {
  it('does what the platform does', () => {
    expect(story(new Cancellation())).toEqual(story(new AbortController()));
  });

  it('tells those who listen, in their order, and once', () => {
    const [aborted, reason, ...told] = story(new Cancellation());
    expect([aborted, reason]).toEqual([false, undefined]);
    expect(told).toEqual(['object', true, REASON, 'twice', 'remover', REASON, true, REASON]);
  });
});

describe('waiting unless aborted', () => {
  it('ends with the work, or with the abort, whichever comes first', async () => {
    const cancellation = new Cancellation();
    expect(await unlessAborted(Promise.resolve('done'), cancellation)).toBe('done');
    await expect(unlessAborted(Promise.reject(REASON), cancellation)).rejects.toBe(REASON);
    const waiting = unlessAborted(new Promise(() => {}), cancellation);
    cancellation.abort('gone');
    await expect(waiting).rejects.toBe('gone');
    await expect(unlessAborted(Promise.resolve('done'), cancellation)).rejects.toBe('gone');
  });
});
