import type { SandboxAnswer } from '../../../core/sandbox-kit/sandbox-request.ts';

/** What Stripe puts under `error`. https://docs.stripe.com/api/errors */
export interface ErrorBody {
  readonly type: 'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error';
  readonly message: string;
  readonly code?: string;
  readonly decline_code?: string;
  readonly param?: string;
  readonly payment_intent?: unknown;
  readonly charge?: string;
}

/** A no of the stand-in, thrown by an endpoint. */
export class Fault extends Error {
  readonly status: number;
  readonly body: ErrorBody;

  constructor(status: number, body: ErrorBody) {
    super(body.message);
    this.status = status;
    this.body = body;
  }
}

/** Arguments that Stripe refuses. */
export function invalid(message: string, code?: string, param?: string): Fault {
  const said = { ...(code === undefined ? {} : { code }), ...(param === undefined ? {} : { param }) };
  return new Fault(400, { type: 'invalid_request_error', message, ...said });
}

/** An id that is not there; in a path 404, in a parameter 400. */
export function missing(what: string, id: string, param = 'id', status = param === 'id' ? 404 : 400): Fault {
  return new Fault(status, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    param,
    message: `No such ${what}: '${id}'`,
  });
}

/** What Stripe says with a status, for ordered faults and unknown addresses. */
export function errorAnswer(status: number, method: string, path: string): SandboxAnswer {
  return { status, body: { error: bodyOf(status, method, path) } };
}

function bodyOf(status: number, method: string, path: string): ErrorBody {
  switch (status) {
    case 401:
      return { type: 'invalid_request_error', message: 'Invalid API Key provided: sk_test_*********word' };
    case 402:
      return {
        type: 'card_error',
        code: 'card_declined',
        decline_code: 'insufficient_funds',
        message: 'Your card has insufficient funds.',
      };
    case 403:
      return {
        type: 'invalid_request_error',
        message:
          "The provided key 'rk_test_*********word' does not have the required permissions for this endpoint on account 'acct_1SandboxPlanner00'.",
      };
    case 404:
      return { type: 'invalid_request_error', message: `Unrecognized request URL (${method}: ${path}).` };
    case 409:
      return {
        type: 'idempotency_error',
        code: 'idempotency_key_in_use',
        message: 'There is currently another in-progress request using this Idempotent Key. Please try again later.',
      };
    case 429:
      return {
        type: 'invalid_request_error',
        code: 'rate_limit',
        message: 'Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.',
      };
    default:
      return status >= 500
        ? { type: 'api_error', message: 'An unknown error occurred' }
        : { type: 'invalid_request_error', message: 'The request was unacceptable' };
  }
}
