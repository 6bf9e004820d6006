import type { Route, SandboxAnswer, SandboxRequest } from '../../../core/sandbox-kit/sandbox-request.ts';
import type { Account } from './account.ts';
import { Fault } from './fault.ts';
import { Params, treeOf } from './params.ts';

/** One address of the stand-in: what it does with the parameters. @throws Fault */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly run: (account: Account, params: Params, ids: Readonly<Record<string, string>>) => object;
}

interface Kept {
  readonly path: string;
  readonly body: string;
  /** Undefined while the first request is under way. */
  answer: SandboxAnswer | undefined;
}

const MAX_KEYS = 10_000;

/**
 * What Stripe does with `Idempotency-Key` on POST: the first answer of an endpoint that started is kept and told again
 * with `Idempotent-Replayed: true`; other parameters are an idempotency_error; while the first request is under way,
 * 409. Refused parameters are not kept.
 */
export class Endpoints {
  readonly #account: Account;
  readonly #keys = new Map<string, Kept>();
  readonly #meanwhile: (() => Promise<void>) | undefined;
  #requests = 0;

  /** @param meanwhile awaited while a keyed request is under way, so that tests can hold one there */
  constructor(account: Account, meanwhile?: () => Promise<void>) {
    this.#account = account;
    this.#meanwhile = meanwhile;
  }

  route({ method, path, run }: Endpoint): Route {
    return {
      method,
      path,
      answer: async (request, ids) => {
        const key = request.headers['idempotency-key'];
        const id = this.#requestId();
        const work = (): SandboxAnswer => this.#answer(request, run, ids, { id, key });
        const answer =
          method === 'POST' && typeof key === 'string' ? await this.#keyed(request, key, id, work) : work();
        return {
          ...answer,
          headers: { 'Request-Id': id, 'Stripe-Version': this.#account.apiVersion, ...answer.headers },
        };
      },
    };
  }

  clear(): void {
    this.#keys.clear();
    this.#requests = 0;
  }

  #requestId(): string {
    this.#requests += 1;
    return `req_Sbx${String(this.#requests).padStart(11, '0')}`;
  }

  #answer(
    request: SandboxRequest,
    run: Endpoint['run'],
    ids: Readonly<Record<string, string>>,
    origin: { readonly id: string; readonly key: string | string[] | undefined },
  ): SandboxAnswer {
    try {
      const params = new Params(treeOf(request.method === 'POST' ? request.form() : request.query));
      const { id, key } = origin;
      const idempotency_key = typeof key === 'string' ? key : null;
      return { status: 200, body: this.#account.from({ id, idempotency_key }, () => run(this.#account, params, ids)) };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return { status: error.status, body: { error: error.body } };
    }
  }

  async #keyed(request: SandboxRequest, key: string, id: string, work: () => SandboxAnswer): Promise<SandboxAnswer> {
    if (key.length > 255) return refusal(400, 'Idempotency keys can be at most 255 characters');
    const { path } = request;
    const body = request.body.toString('utf8');
    const kept = this.#keys.get(key);
    if (kept !== undefined) {
      if (kept.path !== path) {
        return refusal(
          400,
          `Keys for idempotent requests can only be used for the same endpoint they were first used for ('${kept.path}').`,
        );
      }
      if (kept.body !== body) {
        return refusal(
          400,
          `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
        );
      }
      if (kept.answer === undefined) {
        return refusal(
          409,
          'There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through). Please try again later.',
          'idempotency_key_in_use',
        );
      }
      return { ...kept.answer, headers: { ...kept.answer.headers, 'Idempotent-Replayed': 'true' } };
    }
    const first: Kept = { path, body, answer: undefined };
    this.#keys.set(key, first);
    if (this.#keys.size > MAX_KEYS) for (const [oldest] of this.#keys) if (this.#keys.delete(oldest)) break;
    await this.#meanwhile?.();
    const answer = work();
    const headers = { 'Idempotency-Key': key, 'Original-Request': id };
    if (answer.status === 400 || answer.status === 404) this.#keys.delete(key);
    else first.answer = { ...answer, body: structuredClone(answer.body), headers };
    return { ...answer, headers };
  }
}

function refusal(status: number, message: string, code?: string): SandboxAnswer {
  return { status, body: { error: { type: 'idempotency_error', message, ...(code === undefined ? {} : { code }) } } };
}
