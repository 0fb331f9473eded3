const shared = {
  testEnvironment: 'node',
  // The source condition first: tests run the .ts files of every package, so no build is needed to test.
  testEnvironmentOptions: { customExportConditions: ['@flotilla/source', 'node', 'import', 'default'] },
  extensionsToTreatAsEsm: ['.ts'],
  transform: {}, // Jest strips the types itself
  modulePathIgnorePatterns: ['/(packages|apps)/[^/]+/dist/', '/\\.flotilla/'],
};

export default {
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['**/packages/*/src/**/*.test.ts', '**/apps/*/src/**/*.test.ts', '**/infra/**/*.test.mjs'],
    },
    { ...shared, displayName: 'integration', testMatch: ['**/tests/**/*.test.ts'] },
  ],
};
