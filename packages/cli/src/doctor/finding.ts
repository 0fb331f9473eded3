/** What one check of `flotilla doctor` found. */
export interface Finding {
  /** What was looked at: `node`, `pnpm`, `redis`, `scheduler`, `workers`, `flags`. */
  check: string;
  state: 'ok' | 'warn' | 'fail';
  message: string;
  /** What to do about it. */
  advice?: string;
}
