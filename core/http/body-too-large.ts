import { BridgeError } from '#core/errors.ts';

/** The refusal that both doors give to a body beyond the limit. */
export function bodyTooLarge(maxBytes: number): BridgeError {
  return new BridgeError('body_too_large', `the body has more than ${maxBytes} bytes, the most that is read`);
}
