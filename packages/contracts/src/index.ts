export * from './definition.ts';
export * from './errors.ts';
export * from './http-api.ts';
export * from './ids.ts';
export * from './json.ts';
export * from './legacy-definition.ts';
export * from './states.ts';
export * from './views.ts';
