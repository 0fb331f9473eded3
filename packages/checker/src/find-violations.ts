import type { WorkflowDefinition } from '@flotilla/contracts';
import type { RunRecord } from '@flotilla/local-fleet';
import { v00 } from './invariants/v00-order.ts';
import { v02 } from './invariants/v02-one-end.ts';
import { v03 } from './invariants/v03-one-commit.ts';
import { v04, v05 } from './invariants/v04-v05-fences.ts';
import { v06 } from './invariants/v06-needs.ts';
import { v07 } from './invariants/v07-attempts.ts';
import { v10 } from './invariants/v10-cancel.ts';
import { v15 } from './invariants/v15-clocks.ts';
import { EMPTY_RECORDING } from './recording.ts';
import { mapOf, type RunFacts, runFacts } from './run-facts.ts';
import type { Bounds } from './violation.ts';

export interface Expectations {
  /** Step id -> its needs. Default: what `/steps` says. */
  needs?: ReadonlyMap<string, readonly string[]>;
  /** Steps with `join: any`: they may start when one of their needs has succeeded. */
  joinsAny?: ReadonlySet<string>;
  /** Steps whose failure is not the run's. Default: by the definition. */
  tolerated?: ReadonlySet<string>;
  /** Most failures of a step that are charged. Default: not checked, unless the definition is known. */
  maxAttempts?: number;
  definition?: WorkflowDefinition;
  /** Default: those of a fleet that nothing disturbs. */
  bounds?: Bounds;
}

const OF_ONE_RUN = [v00, v02, v03, v04, v05, v06, v07, v10, v15];

/**
 * What the history of one ended run breaks, of what can be told from it alone: sentences `run: V3 …`, none when it is
 * right. `checkRecording` looks at everything.
 */
export function findViolations(record: RunRecord, expectations: Expectations = {}): string[] {
  const { definition, bounds = {} } = expectations;
  const facts = runFacts(definition === undefined ? record : { ...record, definition });
  const run = withExpectations(facts, expectations);
  const context = { recording: EMPTY_RECORDING, runs: [run], bounds, atRest: true };
  return OF_ONE_RUN.flatMap(({ checkRun }) => checkRun(run, context)).map(
    ({ invariant, message }) => `${run.runId}: ${invariant} ${message}`,
  );
}

function withExpectations(run: RunFacts, { needs, joinsAny, maxAttempts, tolerated }: Expectations): RunFacts {
  return {
    ...run,
    needsOf: (stepId) => needs?.get(stepId) ?? run.needsOf(stepId),
    ruleOf: (stepId) => {
      const rule = run.ruleOf(stepId);
      const own: NonNullable<ReturnType<RunFacts['ruleOf']>> = rule ?? {
        kind: '',
        join: 'settled',
        maxAttempts: Number.POSITIVE_INFINITY,
      };
      return {
        ...own,
        join: joinsAny?.has(mapOf(stepId)) ? 'any' : own.join,
        maxAttempts: maxAttempts ?? own.maxAttempts,
        tolerated: tolerated?.has(stepId) ?? own.tolerated ?? false,
      };
    },
  };
}
