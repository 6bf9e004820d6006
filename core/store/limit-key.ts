import { hash } from 'node:crypto';

/** What stands for itself in Redis: it can be read by an operator, and holds no `~`, which marks a digest. */
const PLAIN = /^[\w.:@/-]{1,200}$/;

/**
 * A limit's key as it is kept: the same for the same key, other for another, at most 200 characters of a small alphabet
 * however long and strange the principal's id is.
 */
export function limitKey(key: string): string {
  return PLAIN.test(key) ? key : `~${hash('sha256', key, 'base64url')}`;
}
