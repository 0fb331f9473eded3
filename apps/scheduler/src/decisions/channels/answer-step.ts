import type { Json } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';

/** True when the step has taken the answer, now or when it was told before. */
export async function answerStep(
  state: State<Plan>,
  { runId, key }: { runId: string; key: string },
  { kind, body, id }: { kind: 'send' | 'receive'; body: Json; id: string },
): Promise<boolean> {
  const reply = await state.transitions.answerWait(
    { tag: state.tagOf(runId), runId, key },
    { kind, subject: '', bodyJson: JSON.stringify(body), eventJson: '{}', id: `${kind}/${key}/${id}` },
  );
  return reply === 'answered';
}
