import type { ToolContext } from '../../core/server-kit/tool-context.ts';

/** Longest wait for one answer. A call with less time than that is ended by its signal, which says why. */
const MAX_REQUEST_MS = 60_000;

/** What every request to Google obeys, as the SDK takes it beside a method's parameters. */
export interface RequestOptions {
  readonly signal: AbortSignal;
  readonly timeout: number;
  readonly retry: false;
  readonly retryConfig: { readonly retry: 0 };
  /** With every request: uploads do not look at the one that the API was opened with. */
  readonly rootUrl?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Options of one request: it ends with its call, and the SDK never repeats it by itself. */
export function requestOptions(
  { signal, traceparent }: Pick<ToolContext, 'signal' | 'traceparent'>,
  rootUrl: string | undefined,
): RequestOptions {
  return {
    signal,
    timeout: MAX_REQUEST_MS,
    retry: false,
    retryConfig: { retry: 0 },
    ...(rootUrl === undefined ? {} : { rootUrl }),
    ...(traceparent === undefined ? {} : { headers: { traceparent } }),
  };
}
