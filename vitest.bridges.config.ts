import { defineConfig } from 'vitest/config';
import config, { BRIDGES_IN_DEPTH } from './vitest.config.ts';

/** What breaks around a bridge: vendors that fail, databases that die, keys that come again. */
export default defineConfig({
  test: { ...config.test, include: [...BRIDGES_IN_DEPTH], exclude: ['**/node_modules/**'] },
});
