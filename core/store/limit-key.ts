import { hash } from 'node:crypto';

const MAX_LENGTH = 200;
const DIGEST_MARK = '~';
/** What stands for itself in Redis, where an operator may look for it. */
const PLAIN = /^[\w.:@/-]+$/;

/**
 * A limit's key as Redis keeps it: the same for the same key, other for another, at most 200 characters of a small
 * alphabet however long and strange the principal's id is.
 */
export function limitKey(key: string): string {
  return key.length <= MAX_LENGTH && PLAIN.test(key) ? key : digest(key);
}

/** The same for memory, where any character is as good as another. */
export function boundedKey(key: string): string {
  return key.length <= MAX_LENGTH && !key.startsWith(DIGEST_MARK) ? key : digest(key);
}

function digest(key: string): string {
  return DIGEST_MARK + hash('sha256', key, 'base64url');
}
