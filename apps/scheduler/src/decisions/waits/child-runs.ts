import { FlotillaError, isFlotillaError, type Json, type StepError } from '@flotilla/contracts';
import { canonicalJson, type Plan, type PlanStep, sha256Hex } from '@flotilla/engine';
import { STEP, type State } from '@flotilla/state';
import { traceparentUnder } from '@flotilla/telemetry';
import type { InputSchemas } from '../../http/input/input-schemas.ts';
import type { PlanSource } from '../../http/plan-source.ts';
import { withScope } from '../run-scope.ts';
import { failStep } from '../start-step.ts';
import { cancelChild } from './cancel-child.ts';
import { childRunId } from './child-run-id.ts';

export interface ChildRunDependencies {
  state: State<Plan>;
  plans: PlanSource;
  inputs: InputSchemas;
  maxInputBytes: number;
}

/** Runs that steps of other runs start and wait for. */
export class ChildRuns {
  readonly #dependencies: ChildRunDependencies;

  constructor(dependencies: ChildRunDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * Starts the child of a step that waits for it. What is wrong with it fails the step. Repeating it is harmless.
   *
   * The parent may end meanwhile: who closes its waits cancels the child when it is there by then, and this does when it came
   * later. So the child is made first, and only then it is asked whether its parent goes on.
   */
  async start(plan: Plan, runId: string, step: PlanStep): Promise<void> {
    const { state } = this.#dependencies;
    const wait = await state.readWait(runId, String(step.index));
    if (wait?.answer === '') await this.#createOrFail(plan, runId, step, wait.subject);
    await this.#cancelAbandoned(runId, step);
  }

  /** Children of openings that are over; that of the present one, too, when the run does not go on. */
  async #cancelAbandoned(runId: string, { index, wait }: PlanStep): Promise<void> {
    const { state } = this.#dependencies;
    if (wait?.kind !== 'workflow' || wait.onParentEnd !== 'cancel') return;
    const run = state.run(runId);
    const { opening: present, isReopening } = (await run.readOpening()) ?? { opening: 1, isReopening: false };
    const last = isReopening || (await run.goesOn()) ? present - 1 : present;
    for (let opening = 1; opening <= last; opening += 1) {
      await cancelChild(state, childRunId(state.partitions, { runId, key: String(index), opening }));
    }
  }

  async #createOrFail(plan: Plan, runId: string, step: PlanStep, childId: string): Promise<void> {
    const { state } = this.#dependencies;
    try {
      await this.#create(plan, runId, step, childId);
    } catch (error) {
      if (!isFlotillaError(error) || !FAILS_THE_STEP.has(error.code)) throw error;
      await failStep(state, plan, runId, { step, opening: undefined }, toStepError(error), STEP.waiting);
    }
  }

  async #create(plan: Plan, runId: string, step: PlanStep, childId: string): Promise<void> {
    const { state, inputs, maxInputBytes } = this.#dependencies;
    const { wait } = step;
    if (wait?.kind !== 'workflow') return;
    const child = await this.#planOf(wait);
    const { reads = [], expressions = [] } = wait.input ?? {};
    const inputJson = await withScope(state, plan, { runId, reads, expressions }, ({ scope }) =>
      canonicalJson(wait.input?.resolve(scope) ?? {}),
    );
    if (Buffer.byteLength(inputJson) > maxInputBytes) {
      throw new FlotillaError('PAYLOAD_TOO_LARGE', `the input of the child run is larger than ${maxInputBytes} bytes`);
    }
    const input = JSON.parse(inputJson) as Json;
    const problems = await inputs.check(child, input, inputJson.length);
    const [first] = problems;
    if (first !== undefined) throw new FlotillaError('INPUT_INVALID', `${first.path}: ${first.message}`, { problems });
    await state.createRun({
      ...{ plan: child, inputJson, runId: childId, tags: [], durability: 'fast' },
      bodyHash: sha256Hex(`${child.hash}\n${inputJson}`),
      parent: { runId, key: String(step.index) },
      traceparent: traceparentUnder(runId, await state.run(runId).readTraceparent()),
    });
  }

  async #planOf(wait: { workflow: string | undefined; definition: Json | undefined }): Promise<Plan> {
    const { plans } = this.#dependencies;
    if (wait.workflow === undefined) return (await plans.compile(wait.definition)).plan;
    return plans.named(wait.workflow);
  }
}

const FAILS_THE_STEP: ReadonlySet<string> = new Set([
  'WORKFLOW_NOT_FOUND',
  'DEFINITION_INVALID',
  'INPUT_INVALID',
  'PAYLOAD_TOO_LARGE',
  'EXPRESSION_FAILED',
  'DATA_CORRUPTION',
  'IDEMPOTENCY_CONFLICT',
]);

function toStepError({ code, message }: FlotillaError): StepError {
  return { type: 'non_retryable', code, message };
}

/** A child run has ended: the step of its parent that waits for it hears of it. */
export async function announceChildEnd(state: State<Plan>, childId: string): Promise<void> {
  const parent = await state.readParent(childId);
  if (parent === undefined) return;
  const { runId, key } = parent;
  await state.transitions.answerWait(
    { tag: state.tagOf(runId), runId, key },
    { kind: 'workflow', subject: childId, bodyJson: undefined, eventJson: JSON.stringify({ child: childId }) },
  );
}
