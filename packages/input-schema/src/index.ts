export * from './check-input.ts';
export * from './compile-schema.ts';
export { prepareValidators } from './validators.ts';
