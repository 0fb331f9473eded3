import type { Problem, WaitStepDefinition } from '@flotilla/contracts';
import { PROBLEM_CODES, type ProblemCode } from './problem-codes.ts';
import type { ProblemList } from './problem-list.ts';

/** Compiles an inline child definition, for its problems. */
export type CompileChild = (
  definition: unknown,
) => Generator<void, { ok: true } | { ok: false; problems: readonly Problem[] }>;

type WorkflowStep = Extract<WaitStepDefinition, { kind: 'workflow' }>;

/** `name` or `name@version`, as the registry has them. */
const WORKFLOW_REFERENCE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}(?:@\d+\.\d+\.\d+(?:[-+][A-Za-z0-9.-]{1,64})?)?$/;

/** Checks what a `workflow` step runs: exactly one of a registered workflow and an inline definition, which must compile. */
export function* checkChild(
  { workflow, definition }: WorkflowStep,
  path: string,
  problems: ProblemList,
  compileChild: CompileChild,
): Generator<void, void> {
  if (workflow === undefined && definition === undefined) {
    problems.error('MISSING_FIELD', `${path}/workflow`, 'name a registered workflow, or give a definition');
  }
  if (workflow !== undefined && definition !== undefined) {
    problems.error('ILLEGAL_VALUE', `${path}/definition`, 'give `workflow` or `definition`, not both');
  }
  if (workflow !== undefined && !WORKFLOW_REFERENCE.test(workflow)) {
    problems.error('ILLEGAL_VALUE', `${path}/workflow`, 'expected a name, or name@version');
  }
  if (definition === undefined) return;
  const compiled = yield* compileChild(definition);
  if (compiled.ok) return;
  for (const problem of compiled.problems) {
    if (problem.severity === 'warning') continue;
    const code = problem.code in PROBLEM_CODES ? (problem.code as ProblemCode) : 'ILLEGAL_VALUE';
    problems.error(code, `${path}/definition${problem.path}`, problem.message);
  }
}
