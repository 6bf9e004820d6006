import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/*.test.ts', 'test/core/**/*.test.ts', 'test/bridges/**/*.test.ts', 'test/contract/**/*.test.ts'],
    setupFiles: ['test/support/leaks.ts'],
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // A retry would hide a flaky test; a flaky test is a bug.
    retry: 0,
  },
});
