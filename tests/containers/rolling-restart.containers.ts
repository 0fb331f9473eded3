import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ContainerFleet, type Member } from './container-fleet.ts';
import { type Judgement, judgeUnderLoad } from './judge-load.ts';

const WORKERS = 3;

let fleet: ContainerFleet;
let judged: Judgement;
const exitCodes: Record<Member['kind'], number[]> = { scheduler: [], worker: [] };

/** As orchestrators do it: the new one is ready before the old one is told to end. */
async function replace(member: Member): Promise<void> {
  await fleet.add(member.kind);
  exitCodes[member.kind].push(await fleet.terminate(member));
}

beforeAll(async () => {
  fleet = await ContainerFleet.start({ schedulers: 2, workers: WORKERS });
  const first = [...fleet.members];
  judged = await judgeUnderLoad(fleet, {
    name: 'rolling',
    activeRuns: 8,
    deed: async () => {
      for (const member of first) await replace(member);
      await fleet.waitForWorkers(WORKERS);
    },
  });
}, 240_000);
afterAll(() => fleet.stop());

describe('when every scheduler and worker is replaced by another, one after the other, under load', () => {
  test('each ends in order', () => {
    expect(exitCodes).toEqual({ scheduler: [0, 0], worker: [0, 0, 0] });
  });

  test('every run ends right', () => {
    expect(judged.problems).toEqual([]);
  });

  test('no attempt is lost, and none is charged', () => {
    const lost = judged.records.flatMap(({ events }) => events.filter(({ type }) => type === 'attempt-lost'));
    expect(lost).toEqual([]);
    const charged = judged.records.flatMap(({ run, steps }) =>
      steps
        .filter(({ stepId, attempts }) => attempts > (stepId === 'fails' ? 2 : 1))
        .map(({ stepId }) => `${run.runId} ${stepId}`),
    );
    expect(charged).toEqual([]);
  });
});
