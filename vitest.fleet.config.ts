import { defineConfig } from 'vitest/config';
import config from './vitest.config.ts';

/** Black box through containers: needs a Docker engine and the images. */
export default defineConfig({
  test: {
    ...config.test,
    include: ['test/fleet/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    globalSetup: [],
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
