import { createLog } from '../../core/server-kit/log.ts';
import { serve } from '../../core/server-kit/serve.ts';
import { MemoryDatabase } from './memory-database.ts';
import { readSettings } from './settings.ts';
import { allTools } from './tools/all-tools.ts';

/** Shorter than the bridge's patience after EOF, so that cancelling is done before it sends SIGTERM. */
const EOF_GRACE_MS = 800;

await serve(() => {
  const settings = readSettings();
  const database = new MemoryDatabase(settings, createLog({ server: 'memory' }));
  return {
    name: 'memory',
    version: '0.1.0',
    instructions:
      'A memory of your own that outlives the conversation. Before you answer, look with memory_search; when you learn something worth keeping, memory_remember it, ' +
      'under a key where it has one current value.',
    tools: allTools({ database, settings }),
    eofGraceMs: EOF_GRACE_MS,
    close: () => database.close(),
  };
});
