import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Daemons, commands and threads that tests start load TypeScript: what node makes of it is kept from one to the next.
process.env.NODE_COMPILE_CACHE ??= new URL('.tmp/compile-cache', import.meta.url).pathname;

// One project per kind of test, so that `npx vitest run --project unit` is quick while a room is being built. Files share
// what they import; those of a project that puts other modules in place of ours do not.
const projects = [
  { name: 'unit', include: ['src/**/*.test.ts'] },
  { name: 'conformance', include: ['test/conformance/**/*.test.ts'] },
  { name: 'jit', include: ['test/jit/**/*.test.ts'] },
  { name: 'differential', include: ['test/differential/**/*.test.ts'] },
  { name: 'fuzz', include: ['test/fuzz/**/*.test.ts'] },
  { name: 'house', include: ['test/house/**/*.test.ts'] },
  { name: 'peer', include: ['test/peer/**/*.test.ts'] },
  { name: 'report', include: ['test/report/**/*.test.ts'] },
  { name: 'soundness', include: ['test/soundness/**/*.test.ts'], isolate: true },
  { name: 'e2e', include: ['test/e2e/**/*.test.ts'] },
];

export default defineConfig({
  test: {
    // The counts for whoever wants them by machine; people read the default reporter.
    reporters: ['default', ['json', { outputFile: '.tmp/test-results.json' }]],
    // Vitest would leave one idle.
    maxWorkers: availableParallelism(),
    // So long that only what hangs runs into it, on a machine that is busy with other things too.
    projects: projects.map((test) => ({
      test: { isolate: false, ...test, testTimeout: 180_000, hookTimeout: 180_000 },
    })),
    coverage: { provider: 'v8', include: ['src/**/*.ts'], exclude: ['src/**/*.test.ts'] },
  },
});
