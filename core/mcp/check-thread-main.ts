/** What runs in the thread of `check-thread.ts`: anything here may take for ever, or all memory there is. */
import { parentPort } from 'node:worker_threads';
import type { CheckReply, CheckRequest } from '#core/mcp/check-thread.ts';
import { probePattern } from '#core/mcp/pattern-probe.ts';
import { Validator } from '#core/mcp/validator.ts';

const validators = new Map<number, Validator>();

function answer(request: CheckRequest): unknown {
  switch (request.task) {
    case 'compile': {
      if (request.forget !== undefined) validators.delete(request.forget);
      const startedAtMs = performance.now();
      const { json, dialect } = request.schema;
      const validator = new Validator({ schema: JSON.parse(json), dialect });
      // The engine compiles a function when it is first called: too large for that shows now and not in a call.
      validator.errors({}, false);
      validators.set(request.schema.id, validator);
      return performance.now() - startedAtMs;
    }
    case 'check': {
      const value: unknown = request.json === undefined ? undefined : JSON.parse(request.json);
      return validators.get(request.id)?.errors(value, request.explain);
    }
    case 'probe':
      for (const source of request.patterns) probePattern(source);
      return undefined;
  }
}

parentPort?.on('message', (request: CheckRequest) => {
  let reply: CheckReply;
  try {
    reply = { value: answer(request) };
  } catch (error) {
    reply = { failure: error instanceof Error ? error.message.slice(0, 300) : 'unknown' };
  }
  parentPort?.postMessage(reply);
});

parentPort?.postMessage('ready');
