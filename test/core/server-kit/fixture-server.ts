import { setTimeout as delay } from 'node:timers/promises';
import { defineTool } from '#core/server-kit/define-tool.ts';
import { integer, readEnvironment, requiredText } from '#core/server-kit/environment.ts';
import { z } from '#core/server-kit/schema.ts';
import { serve } from '#core/server-kit/serve.ts';
import { ToolError } from '#core/server-kit/tool-error.ts';

await serve(() => {
  const env = readEnvironment({
    GREETING: requiredText('what to say'),
    GRACE_MS: integer('patience after EOF', { fallback: 10_000, min: 0, max: 60_000 }),
  });
  return {
    name: 'fixture',
    version: '1.0.0',
    eofGraceMs: env.GRACE_MS,
    tools: [
      defineTool({
        name: 'greet',
        title: 'Greet',
        description: 'Greets somebody after a while',
        effect: 'read',
        input: z.object({ name: z.string().min(1), afterMs: z.number().int().min(0).default(0) }),
        output: z.object({ text: z.string() }),
        run: async ({ name, afterMs }, { signal, log }) => {
          log.info('started');
          await delay(afterMs, undefined, { signal }).catch(() => {
            log.info('aborted', { code: (signal.reason as ToolError).code });
            throw signal.reason;
          });
          return { text: `${env.GREETING}, ${name}` };
        },
      }),
      defineTool({
        name: 'context',
        title: 'Show the context',
        description: 'Shows what a call may know',
        effect: 'idempotent',
        input: z.object({}),
        output: z.object({ deadlineMs: z.number().nullable(), remaining: z.boolean(), key: z.string().nullable() }),
        run: async (_args, { deadlineMs, remainingMs, idempotencyKey }) => ({
          deadlineMs: deadlineMs ?? null,
          remaining: remainingMs() <= (deadlineMs ?? Number.POSITIVE_INFINITY),
          key: idempotencyKey ?? null,
        }),
      }),
      defineTool({
        name: 'fail',
        title: 'Fail',
        description: 'Fails as it is told',
        effect: 'write',
        input: z.object({ how: z.enum(['no', 'bug']) }),
        output: z.object({}),
        run: async ({ how }) => {
          if (how === 'bug') throw new TypeError('secret detail of a bug');
          throw new ToolError('no_money', 'the account is empty', {
            retryable: false,
            hint: 'Put some in',
            details: { balance: 0 },
          });
        },
      }),
      defineTool({
        name: 'pay',
        title: 'Pay',
        description: 'Pays, and finds what it is told to find',
        effect: 'write',
        input: z.object({ finds: z.enum(['executed', 'not_executed', 'unknown', 'nothing']) }),
        output: z.object({ id: z.string() }),
        run: async () => ({ id: 'paid just now' }),
        reconcile: async ({ finds }, { idempotencyKey }) => {
          switch (finds) {
            case 'executed':
              return { found: finds, result: { id: `paid with ${idempotencyKey}` } };
            case 'not_executed':
              return { found: finds };
            case 'unknown':
              return { found: finds, looked: 'the last 100 payments' };
            case 'nothing':
              throw new ToolError('vendor_down', 'the bank does not answer', { retryable: true });
          }
        },
      }),
    ],
  };
});
