export { environmentZ } from './config.ts';
export { resetRun } from './relay/reopen-run.ts';
