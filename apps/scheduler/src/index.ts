export { environmentZ } from './config.ts';
export { resetRun } from './decisions/reopen-run.ts';
