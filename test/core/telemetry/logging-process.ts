/** A process of its own for tests of the log: does what it is told over IPC and answers with what it has lost. */
import { createLog } from '#core/telemetry/log.ts';

const log = createLog({ output: process.stdout, level: 'info' });

process.on('message', async (command) => {
  const startedAtMs = performance.now();
  if (command === 'log') log.info('a line');
  if (command === 'flood') for (let i = 0; i < 500; i++) log.info('x'.repeat(4096));
  if (command === 'exit') {
    await log.flush(200);
    process.exit(0);
  }
  setImmediate(() => process.send?.({ ...log.losses, blockedMs: performance.now() - startedAtMs }));
});
