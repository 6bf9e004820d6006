/** A store did not answer in time or is known to be away. Policies decide what that means; it never reaches a caller. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError';
}
