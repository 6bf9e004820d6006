import { defineConfig } from 'vitest/config';
import config from './vitest.config.ts';

/** Tests that look at figures or wait for real time-outs: one at a time, on a machine that does nothing else. */
export default defineConfig({
  test: {
    ...config.test,
    include: ['test/**/*.long.test.ts'],
    exclude: ['**/node_modules/**'],
    maxWorkers: 1,
    testTimeout: 60_000,
  },
});
