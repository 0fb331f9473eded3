const source = ['@flotilla/source', 'node', 'import', 'default'];
const shared = {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: source },
  extensionsToTreatAsEsm: ['.ts'],
  transform: {}, // Jest strips the types itself
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/', '<rootDir>/.flotilla/'],
};

export default {
  globalSetup: '<rootDir>/packages/testing/src/jest-global-setup.ts',
  globalTeardown: '<rootDir>/packages/testing/src/jest-global-teardown.ts',
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['<rootDir>/packages/*/src/**/*.test.ts', '<rootDir>/apps/*/src/**/*.test.ts'] },
    { ...shared, displayName: 'integration', testMatch: ['<rootDir>/tests/**/*.test.ts'] },
  ],
};
