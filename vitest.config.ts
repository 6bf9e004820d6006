import { defineConfig } from 'vitest/config';

/** These take minutes together and have a run of their own (`npm run test:bridges`). */
export const BRIDGES_IN_DEPTH: readonly string[] = [
  'test/bridges/*/{cancel,database,faults,never-twice,sandbox}.test.ts',
];

export default defineConfig({
  test: {
    include: [
      'test/*.test.ts',
      'test/core/**/*.test.ts',
      'test/bridges/**/*.test.ts',
      'test/contract/**/*.test.ts',
      'test/static/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/*.long.test.ts', ...BRIDGES_IN_DEPTH],
    globalSetup: ['test/support/provide-redis.ts'],
    setupFiles: ['test/support/leaks.ts'],
    pool: 'forks',
    // Most tests wait for processes, not for a processor.
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A retry would hide a flaky test; a flaky test is a bug.
    retry: 0,
  },
});
