import type { IncomingHttpHeaders } from 'node:http';

/** What a stand-in answers. */
export interface SandboxAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Written as JSON; a Buffer as it is, with the Content-Type of `headers`. */
  readonly body?: unknown;
}

/** Values of the `:names` in a route's path, decoded. */
export type PathParams = Readonly<Record<string, string>>;

/** One address of a vendor. */
export interface Route {
  readonly method: string;
  /** Segments, `:name` for one that is taken as a value: `/v1/customers/:id`. The first route that fits is taken. */
  readonly path: string;
  readonly answer: (request: SandboxRequest, params: PathParams) => SandboxAnswer | Promise<SandboxAnswer>;
}

/** One request to a stand-in, its body read. */
export class SandboxRequest {
  readonly method: string;
  /** Without the query, not decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;

  constructor(method: string, target: string, headers: IncomingHttpHeaders, body: Buffer) {
    const url = new URL(target, 'http://sandbox');
    this.method = method;
    this.path = url.pathname;
    this.query = url.searchParams;
    this.headers = headers;
    this.body = body;
  }

  /** The body as JSON; `{}` where there is none. @throws SyntaxError */
  json(): unknown {
    return this.body.length === 0 ? {} : JSON.parse(this.body.toString('utf8'));
  }

  /** The body as a form. */
  form(): URLSearchParams {
    return new URLSearchParams(this.body.toString('utf8'));
  }

  /** The values of a route's names, or undefined where it is another address. */
  matches({ method, path }: Route): PathParams | undefined {
    if (method !== this.method) return undefined;
    const wanted = path.split('/');
    const given = this.path.split('/');
    if (wanted.length !== given.length) return undefined;
    const params: Record<string, string> = {};
    for (const [n, segment] of wanted.entries()) {
      const value = given[n] ?? '';
      if (segment.startsWith(':')) params[segment.slice(1)] = decodeURIComponent(value);
      else if (segment !== value) return undefined;
    }
    return params;
  }
}
