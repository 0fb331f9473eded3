const shared = {
  testEnvironment: '<rootDir>/infra/jest/patient-environment.mjs',
  // The source condition first: tests run the .ts files of every package, so no build is needed to test.
  testEnvironmentOptions: { customExportConditions: ['@flotilla/source', 'node', 'import', 'default'] },
  extensionsToTreatAsEsm: ['.ts'],
  transform: {}, // Jest strips the types itself
  modulePathIgnorePatterns: ['/(packages|apps)/[^/]+/dist/', '/\\.flotilla/'],
};

export default {
  // A deadline for what hangs, not a measure: the environment makes it and the limits that tests name longer, because the
  // machine may be busy. (In a project it would have no effect.)
  testTimeout: 30_000,
  // Most tests wait for processes, Redis or a lease most of the time, so two cores carry four files.
  maxWorkers: 4,
  // One Redis that all test files share; those that freeze, kill or reconfigure one start their own.
  globalSetup: '<rootDir>/packages/testing/src/jest-global-setup.ts',
  globalTeardown: '<rootDir>/packages/testing/src/jest-global-teardown.ts',
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: [
        '**/packages/*/src/**/*.test.ts',
        '**/apps/*/src/**/*.test.ts',
        '**/apps/*/pages/**/*.test.ts',
        '**/examples/*/src/**/*.test.ts',
        '**/infra/**/*.test.mjs',
      ],
    },
    { ...shared, displayName: 'integration', testMatch: ['**/tests/**/*.test.ts'] },
    // Minutes each, with the machine to themselves: `npm run test:chaos`; `npm test` leaves them out.
    { ...shared, displayName: 'chaos', testMatch: ['**/tests/chaos/**/*.chaos.ts'] },
    // Need a browser and the built pages: `npm run test:e2e` sees to both.
    { ...shared, displayName: 'e2e', testMatch: ['**/tests/e2e/**/*.e2e.ts'] },
    // Need a Docker engine and images: `npm run test:containers` sees to both.
    { ...shared, displayName: 'containers', testMatch: ['**/tests/containers/**/*.containers.ts'] },
  ],
};
