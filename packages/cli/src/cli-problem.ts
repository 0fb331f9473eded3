import type { Problem } from '@flotilla/contracts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export interface CliProblemOptions {
  /** Default 2: bad usage or input. */
  exitCode?: ExitCode;
  /** What to do about it. */
  hint?: string;
  problems?: readonly Problem[];
  cause?: unknown;
}

/** Something that ends a command and that the user can put right. Shown without a stack. */
export class CliProblem extends Error {
  /** Stable; in the answer of `--json`. */
  readonly code: string;
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;
  readonly problems: readonly Problem[];

  constructor(code: string, message: string, options: CliProblemOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CliProblem';
    this.code = code;
    this.exitCode = options.exitCode ?? EXIT.usage;
    this.hint = options.hint;
    this.problems = options.problems ?? [];
  }
}
