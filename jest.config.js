const source = ['@flotilla/source', 'node', 'import', 'default'];
const shared = {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: source },
  extensionsToTreatAsEsm: ['.ts'],
  transform: {}, // Jest strips the types itself
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/', '<rootDir>/.flotilla/'],
};

export default {
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['<rootDir>/packages/*/src/**/*.test.ts', '<rootDir>/apps/*/src/**/*.test.ts'] },
    { ...shared, displayName: 'integration', testMatch: ['<rootDir>/tests/**/*.test.ts'] },
  ],
};
