import { defineConfig } from 'vitest/config';
import config from './vitest.config.ts';

/** What watches the fleet, with the programs that do: they come with Debian's prometheus and prometheus-alertmanager. */
export default defineConfig({
  test: {
    ...config.test,
    include: ['test/otel/**/*.test.ts'],
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
