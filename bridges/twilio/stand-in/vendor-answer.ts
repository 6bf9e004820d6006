import type { SandboxAnswer, SandboxRequest } from '../../../core/sandbox-kit/sandbox-request.ts';
import { SEED } from './seed.ts';

const CREDENTIALS = Buffer.from(`${SEED.apiKeySid}:${SEED.apiKeySecret}`).toString('base64');

/** A refusal in Twilio's shape. */
export function refusal(status: number, code: number, message: string): SandboxAnswer {
  return {
    status,
    body: { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status },
  };
}

/** 401 unless the request carries the stand-in's API key. */
export function unauthorized(request: SandboxRequest): SandboxAnswer | undefined {
  if (request.headers.authorization === `Basic ${CREDENTIALS}`) return undefined;
  return {
    ...refusal(401, 20003, 'Authenticate'),
    headers: { 'WWW-Authenticate': 'Basic realm="Twilio API"' },
  };
}

/** What Twilio says by status alone. */
export function vendorError(status: number, request: SandboxRequest): SandboxAnswer {
  switch (status) {
    case 401:
      return refusal(401, 20003, 'Authenticate');
    case 404:
      return refusal(404, 20404, `The requested resource ${request.path} was not found`);
    case 429:
      return refusal(429, 20429, 'Too Many Requests');
    case 503:
      return refusal(503, 20503, 'Service is unavailable. Please try again');
    default:
      return refusal(status, 20500, 'An internal server error has occurred');
  }
}

/** A time as API v2010 writes it. */
export function rfc2822(ms: number): string {
  return new Date(ms).toUTCString().replace('GMT', '+0000');
}

/** A time as the newer APIs write it. */
export function iso(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

interface Window<T> {
  readonly items: readonly T[];
  readonly page: number;
  readonly pageSize: number;
  readonly start: number;
  /** Of the next page. */
  readonly token: string | undefined;
}

const MAX_PAGE_SIZE = 1_000;

function windowOf<T extends { readonly sid: string }>(all: readonly T[], query: URLSearchParams): Window<T> {
  const pageSize = Math.min(MAX_PAGE_SIZE, Math.max(1, Number(query.get('PageSize') ?? 50)));
  const after = query.get('PageToken')?.slice('PA'.length);
  const start = after === undefined ? 0 : all.findIndex(({ sid }) => sid === after) + 1;
  const items = all.slice(start, start + pageSize);
  const last = items.at(-1);
  const token = last === undefined || start + pageSize >= all.length ? undefined : `PA${last.sid}`;
  return { items, page: Number(query.get('Page') ?? 0), pageSize, start, token };
}

function address({ path, query }: SandboxRequest, page: number, pageSize: number, token?: string): string {
  const own = new URLSearchParams(query);
  own.delete('PageToken');
  own.set('PageSize', String(pageSize));
  own.set('Page', String(page));
  if (token !== undefined) own.set('PageToken', token);
  return `${path}?${own}`;
}

/** A page of API v2010: `next_page_uri`, without a host. */
export function pageOf2010<T extends { readonly sid: string }>(
  key: string,
  all: readonly T[],
  request: SandboxRequest,
  show: (item: T) => unknown,
): SandboxAnswer {
  const { items, page, pageSize, start, token } = windowOf(all, request.query);
  return {
    status: 200,
    body: {
      [key]: items.map(show),
      end: Math.max(0, start + items.length - 1),
      first_page_uri: address(request, 0, pageSize),
      next_page_uri: token === undefined ? null : address(request, page + 1, pageSize, token),
      page,
      page_size: pageSize,
      previous_page_uri: page === 0 ? null : address(request, page - 1, pageSize),
      start,
      uri: address(request, page, pageSize),
    },
  };
}

/** A page of the newer APIs: `meta.next_page_url`, on the product's own host. */
export function pageOfMeta<T extends { readonly sid: string }>(
  host: string,
  key: string,
  all: readonly T[],
  request: SandboxRequest,
  show: (item: T) => unknown,
): SandboxAnswer {
  const { items, page, pageSize, token } = windowOf(all, request.query);
  const at = (n: number, next?: string): string => `https://${host}${address(request, n, pageSize, next)}`;
  return {
    status: 200,
    body: {
      [key]: items.map(show),
      meta: {
        first_page_url: at(0),
        key,
        next_page_url: token === undefined ? null : at(page + 1, token),
        page,
        page_size: pageSize,
        previous_page_url: page === 0 ? null : at(page - 1),
        url: at(page),
      },
    },
  };
}
