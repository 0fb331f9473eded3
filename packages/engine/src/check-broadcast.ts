import type { StepDefinition } from '@flotilla/contracts';
import type { ProblemList } from './problem-list.ts';

type Broadcast = Extract<StepDefinition, { kind: 'broadcast' }>;

/** Whom a broadcast asks: a list with `each`, or a number of agents; and a quorum that can be reached. */
export function checkBroadcast(step: Broadcast, path: string, problems: ProblemList): void {
  const { over, each, capability, count, input, decide } = step;
  if (over === undefined && capability === undefined) {
    problems.error('MISSING_FIELD', `${path}/over`, 'give `over` and `each`, or `capability` and `count`');
    return;
  }
  if (over !== undefined && capability !== undefined) {
    problems.error('ILLEGAL_VALUE', `${path}/capability`, 'give `over` or `capability`, not both');
  }
  if (over !== undefined && each === undefined) {
    problems.error('MISSING_FIELD', `${path}/each`, 'say what is done with each item');
  }
  if (over !== undefined && count !== undefined) {
    problems.error('ILLEGAL_VALUE', `${path}/count`, '`over` decides how many items there are');
  }
  if (over !== undefined && input !== undefined) {
    problems.error('ILLEGAL_VALUE', `${path}/input`, 'the input of the items stands in `each`');
  }
  if (capability !== undefined && count === undefined) {
    problems.error('MISSING_FIELD', `${path}/count`, 'say how many agents are asked');
  }
  if (capability !== undefined && each !== undefined) {
    problems.error('ILLEGAL_VALUE', `${path}/each`, 'give `each` with `over`, `input` with `capability`');
  }
  if (typeof decide === 'object' && count !== undefined && decide.quorum > count) {
    const message = `a quorum of ${decide.quorum} cannot be reached by ${count}`;
    problems.error('ILLEGAL_VALUE', `${path}/decide/quorum`, message);
  }
}
