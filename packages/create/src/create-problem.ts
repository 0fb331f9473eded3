/** One thing that is wrong with what was asked. `path` is the option, argument or file that it is about. */
export interface Problem {
  code:
    | 'NODE_TOO_OLD'
    | 'UNKNOWN_OPTION'
    | 'VALUE_MISSING'
    | 'TOO_MANY_ARGUMENTS'
    | 'UNKNOWN_TEMPLATE'
    | 'FOLDER_NOT_EMPTY'
    | 'NOT_A_FOLDER'
    | 'NO_PROJECT'
    | 'MANIFEST_UNREADABLE'
    | 'NAME_TAKEN'
    | 'NO_PACKAGES';
  path: string;
  message: string;
}

/** Nothing was created, for all these reasons. Its code, in the answer of `--json`, is `CREATE_REFUSED`. */
export class CreateProblem extends Error {
  readonly code = 'CREATE_REFUSED';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super('nothing was created');
    this.name = 'CreateProblem';
    this.problems = problems;
  }
}
