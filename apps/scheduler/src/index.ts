export { environmentZ } from './config.ts';
