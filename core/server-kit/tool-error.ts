/** What a tool says beside its message; becomes `structuredContent.error`. */
export interface ToolErrorOptions {
  /** Whether the same call may succeed later without a change. Default false. */
  readonly retryable?: boolean;
  /** What to do next, for a person or a model. */
  readonly hint?: string;
  /** Further members of `structuredContent.error`, e.g. a vendor's own code. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * The tool ran and says no: answered as a result with `isError: true`, never as a JSON-RPC error.
 * `code` is stable, lower case with underscores. `message` and `hint` are read by callers: no stack, no
 * path of this machine, no secret.
 */
export class ToolError extends Error {
  override readonly name = 'ToolError';
  readonly code: string;
  readonly retryable: boolean;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: string, message: string, options: ToolErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
    this.details = options.details;
  }
}
