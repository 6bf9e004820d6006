import type { SandboxAnswer } from '../../../core/sandbox-kit/sandbox-request.ts';
import { googleErrorAnswer } from '../../google/sandbox-token.ts';

/** Drive says no. */
export class Refusal extends Error {
  readonly #status: number;
  readonly #reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.#status = status;
    this.#reason = reason;
  }

  /** What `work` answers, or the refusal that it threw, in Google's shape. */
  static async caught(work: () => SandboxAnswer | Promise<SandboxAnswer>): Promise<SandboxAnswer> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Refusal) return googleErrorAnswer(error.#status, error.#reason, error.message);
      throw error;
    }
  }
}
