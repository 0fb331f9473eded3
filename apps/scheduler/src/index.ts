export { environmentZ } from './config.ts';
export { resetRun } from './decisions/reopen-run.ts';
export { InputSchemas } from './http/input/input-schemas.ts';
