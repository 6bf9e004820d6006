import { defineConfig } from 'vitest/config';
import config from './vitest.config.ts';

/** Minutes of load on one process (SOAK_MINUTES, 5), on a machine that does nothing else. */
export default defineConfig({
  test: { ...config.test, include: ['test/soak/*.test.ts'], exclude: ['**/node_modules/**'], maxWorkers: 1 },
});
