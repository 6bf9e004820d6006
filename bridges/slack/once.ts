import type { ToolContext } from '../../core/server-kit/tool-context.ts';
import { ToolError } from '../../core/server-kit/tool-error.ts';

/**
 * Sends, and with a key never a second time: Slack takes no key of its own, so what an earlier call with this key may
 * have left is looked for first. Where the look fails nothing is sent. After a send whose answer was lost it looks once
 * more: what is found is the answer; what is not found may still be on its way, so that the outcome stays unknown.
 */
export async function once<T>(
  context: ToolContext,
  look: () => Promise<T | undefined>,
  send: () => Promise<T>,
): Promise<T> {
  if (context.idempotencyKey === undefined) return send();
  const earlier = await look().catch(rethrowAsUnsent);
  if (earlier !== undefined) return earlier;
  try {
    return await send();
  } catch (error) {
    const lost = error instanceof ToolError && error.details?.executed === 'maybe';
    if (!lost || context.signal.aborted) throw error;
    const found = await look().catch(() => undefined);
    if (found === undefined) throw error;
    return found;
  }
}

function rethrowAsUnsent(error: unknown): never {
  if (!(error instanceof ToolError)) throw error;
  const { code, message, retryable, hint, details } = error;
  throw new ToolError(code, `whether this was done before could not be asked, so nothing was sent: ${message}`, {
    retryable,
    ...(hint === undefined ? {} : { hint }),
    details: { ...details, executed: 'no' },
    cause: error,
  });
}
