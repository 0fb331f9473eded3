/** What the process ends with. Documented in docs/reference/cli.md; scripts rely on it. */
export const EXIT = {
  ok: 0,
  /** The run or the check failed. */
  failed: 1,
  /** Bad usage or bad input: trying again without a change does not help. */
  usage: 2,
  /** The scheduler or Redis cannot be reached. */
  unreachable: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
