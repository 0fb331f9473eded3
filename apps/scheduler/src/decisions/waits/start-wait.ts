import { storedName } from '@flotilla/channels';
import { FlotillaError } from '@flotilla/contracts';
import { approvalDigest, canonicalJson, type Plan, type PlanStep, type PlanWait } from '@flotilla/engine';
import { randomToken, type StartWait, type State } from '@flotilla/state';
import { withScope } from '../run-scope.ts';
import { childRunId } from './child-run-id.ts';

/** What an approval may be about, as canonical JSON. */
const MAX_ACTION_BYTES = 262_144;
const WEBHOOK_TOKEN_CHARACTERS = 32;

/** A step begins to wait for something from outside its run. Errors: EXPRESSION_FAILED, DATA_CORRUPTION, PAYLOAD_TOO_LARGE. */
export async function startWait(
  state: State<Plan>,
  plan: Plan,
  { runId, step, opening }: { runId: string; step: PlanStep; opening: number },
): Promise<void> {
  const { wait } = step;
  if (wait === undefined) return;
  const address = { tag: state.tagOf(runId), runId, key: String(step.index), opening };
  const { timeoutMs, kind } = wait;
  await state.transitions.startWait(address, { kind, timeoutMs, ...(await subjectOf(wait, state, plan, address)) });
}

type Subject = Pick<StartWait, 'subject' | 'detailJson'>;

async function subjectOf(
  wait: PlanWait,
  state: State<Plan>,
  plan: Plan,
  { runId, key, opening }: { runId: string; key: string; opening: number },
): Promise<Subject> {
  switch (wait.kind) {
    case 'signal':
      return { subject: wait.name };
    case 'webhook':
      return { subject: randomToken(WEBHOOK_TOKEN_CHARACTERS) };
    case 'send':
    case 'receive':
      return { subject: storedName(wait.channel, runId) };
    case 'workflow':
      return { subject: childRunId(state.partitions, { runId, key, opening }) };
    case 'approval': {
      const { reads, expressions } = wait.action;
      const detailJson = await withScope(state, plan, { runId, reads, expressions }, ({ scope }) => {
        const action = wait.action.resolve(scope);
        return canonicalJson({ action, digest: approvalDigest(action), approvers: [...wait.approvers] });
      });
      if (Buffer.byteLength(detailJson) > MAX_ACTION_BYTES) {
        throw new FlotillaError('PAYLOAD_TOO_LARGE', `the action to approve is larger than ${MAX_ACTION_BYTES} bytes`);
      }
      return { subject: '', detailJson };
    }
  }
}
