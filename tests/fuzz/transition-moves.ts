import { countedEdges } from '@flotilla/engine';
import { type ClaimedAttempt, DUE, type EdgeArgument, type FailArguments, stateKey } from '@flotilla/state';
import { keyOf, type Partition, plan } from './partition.ts';

const ERROR = JSON.stringify({ type: 'non_retryable', code: 'STEP_FAILED', message: 'no' });
const FIRST = keyOf('first');
const ITEM = `${keyOf('items')}.0`;

const edges = (key: string, outcome: 'succeeded' | 'failed' | 'skipped'): readonly EdgeArgument[] =>
  plan.steps[Number.parseInt(key, 10)] === undefined ? [] : countedEdges(plan, Number.parseInt(key, 10), outcome);

const isEndStep = (key: string) => plan.steps[Number.parseInt(key, 10)]?.endStep ?? false;

/** Brings a fresh run to where a move can be made; gives what the move needs of it. */
type Arrange = (partition: Partition, runId: string) => Promise<Attempt | undefined>;
type Attempt = ClaimedAttempt & { attemptId: string; key: string };

export interface Move {
  arrange: Arrange;
  make: (partition: Partition, runId: string, attempt: Attempt) => Promise<unknown>;
  /** How a run that nothing is wrong with answers it. */
  answer: unknown;
}

const claimOf = ({ tag, state }: Partition, runId: string, key: string, attemptId: string) =>
  state.transitions.claim({
    ...{ tag, runId, key, attemptId },
    worker: 'worker-1',
    group: plan.entryGroup ?? 0,
    any: false,
    initial: 0,
    attemptMs: 60_000,
    wantsInput: true,
    hasQueuedTimer: false,
    sources: [],
  });

const running =
  (key: string): Arrange =>
  async (partition, runId) => {
    if (key === ITEM) await startMap(partition, runId);
    const attemptId = `attempt-of-${runId}`;
    const reply = await claimOf(partition, runId, key, attemptId);
    if ('refused' in reply) throw new Error(`the claim was refused: ${reply.refused}`);
    return { ...reply.claimed, attemptId, key };
  };

const fresh: Arrange = async () => undefined;

const startMap = ({ tag, state }: Partition, runId: string) =>
  state.transitions.startMap({ tag, runId, key: keyOf('items') }, ['1', '2'], {
    ...{ concurrency: 1, toleratedFailures: 0, maxSteps: 100, definitionSteps: 4 },
  });

const address = ({ tag }: Partition, runId: string, { key, fence, createdAt, attemptId }: Attempt) => ({
  ...{ tag, runId, key, fence, createdAt, attemptId },
});

function commit(partition: Partition, runId: string, attempt: Attempt, goesOn: boolean) {
  const next = { key: keyOf('second'), attemptMs: 1000 };
  return partition.state.transitions.commit({
    ...address(partition, runId, attempt),
    worker: 'worker-1',
    outputJson: '1',
    checkpoint: { ts: attempt.createdAt, seq: 1, checksum: 'sum', previous: '' },
    hasTotalTimer: false,
    endStep: isEndStep(attempt.key),
    nextAttemptId: goesOn ? `next-of-${runId}` : undefined,
    wantsInput: false,
    sources: [],
    edges: edges(attempt.key, 'succeeded').map((edge) => (goesOn ? { ...edge, next } : edge)),
  });
}

function fail(partition: Partition, runId: string, attempt: Attempt, change: Partial<FailArguments>) {
  const { tag } = partition;
  const { key, fence, createdAt, attemptId } = attempt;
  const isItem = key.includes('.');
  return partition.state.transitions.fail({
    ...{ tag, runId, key, attempt: { fence, createdAt, attemptId } },
    event: 'attempt-failed',
    errorJson: ERROR,
    failFast: false,
    tolerated: false,
    endStep: isEndStep(key),
    hasTotalTimer: false,
    parentKey: isItem ? keyOf('items') : undefined,
    runErrorJson: ERROR,
    edges: edges(key, 'failed'),
    ...(isItem ? { successEdges: edges(key, 'succeeded') } : {}),
    ...change,
  });
}

const settle = ({ tag, state }: Partition, runId: string, to: 'skipped' | 'failed') =>
  state.transitions.settle({
    ...{ tag, runId, key: FIRST, createdAt: 0, state: to, from: '-', timers: '' },
    reason: to === 'skipped' ? 'when-false' : undefined,
    bodyJson: to === 'failed' ? ERROR : undefined,
    failFast: true,
    endStep: false,
    runErrorJson: ERROR,
    edges: edges(FIRST, to),
  });

/** What schedulers and workers ask of one run, each where it suits. */
export const MOVES: Readonly<Record<string, Move>> = {
  claim: {
    arrange: fresh,
    make: (partition, runId) => claimOf(partition, runId, FIRST, `attempt-of-${runId}`),
    answer: { claimed: { failures: 0, crashes: 0, inputJson: '{"n":1}' } },
  },
  'claim an item': {
    arrange: async (partition, runId) => void (await startMap(partition, runId)),
    make: (partition, runId) => claimOf(partition, runId, ITEM, `attempt-of-${runId}`),
    answer: { claimed: { itemJson: '1' } },
  },
  commit: {
    arrange: running(FIRST),
    make: (partition, runId, attempt) => commit(partition, runId, attempt, false),
    answer: { outcome: 'committed' },
  },
  'commit and go on': {
    arrange: running(FIRST),
    make: (partition, runId, attempt) => commit(partition, runId, attempt, true),
    answer: { outcome: 'continued', key: keyOf('second') },
  },
  'commit an item': {
    arrange: running(ITEM),
    make: (partition, runId, attempt) => commit(partition, runId, attempt, false),
    answer: { outcome: 'committed' },
  },
  'fail, to be tried again': {
    arrange: running(FIRST),
    make: (partition, runId, attempt) => fail(partition, runId, attempt, { retryInMs: 60_000 }),
    answer: { outcome: 'retry' },
  },
  'fail for good': {
    arrange: running(FIRST),
    make: (partition, runId, attempt) => fail(partition, runId, attempt, { failFast: true }),
    answer: { outcome: 'failed' },
  },
  'fail an item': {
    arrange: running(ITEM),
    make: (partition, runId, attempt) => fail(partition, runId, attempt, {}),
    answer: { outcome: 'failed' },
  },
  release: {
    arrange: running(FIRST),
    make: (partition, runId, attempt) =>
      partition.state.transitions.release(address(partition, runId, attempt), 'drain'),
    answer: true,
  },
  'park an attempt': {
    arrange: running(FIRST),
    make: (partition, runId, attempt) =>
      partition.state.transitions.parkAttempt(address(partition, runId, attempt), 'breaker:payments', 60_000),
    answer: true,
  },
  'save progress': {
    arrange: running(FIRST),
    make: (partition, runId, attempt) =>
      partition.state.transitions.saveProgress(address(partition, runId, attempt), '1', {
        ...{ ts: attempt.createdAt, seq: 1, checksum: 'sum', previous: '' },
      }),
    answer: true,
  },
  skip: { arrange: fresh, make: (partition, runId) => settle(partition, runId, 'skipped'), answer: 'settled' },
  'settle as failed': {
    arrange: fresh,
    make: (partition, runId) => settle(partition, runId, 'failed'),
    answer: 'settled',
  },
  'start a map': { arrange: fresh, make: startMap, answer: 'started' },
  'start a delay': {
    arrange: fresh,
    make: ({ tag, state }, runId) => state.transitions.startDelay({ tag, runId, key: keyOf('later') }, 60_000),
    answer: undefined,
  },
  park: {
    arrange: fresh,
    make: ({ tag, state }, runId) =>
      state.transitions.park({ tag, runId, key: FIRST }, undefined, 'no-handler', 60_000),
    answer: undefined,
  },
  recheck: {
    arrange: fresh,
    make: ({ tag, state }, runId) => state.transitions.recheck({ tag, runId, key: FIRST }, 60_000, true),
    answer: 'waiting',
  },
  'set timers': {
    arrange: fresh,
    make: async ({ tag, state, client }, runId) => {
      const entry = (await client.xadd(stateKey(tag, 'outbox'), '*', 'e', `S|${runId}|${plan.hash}|${FIRST}`))!;
      await state.transitions.dispatched(
        tag,
        [entry],
        [
          { letter: DUE.hint, key: FIRST, runId, inMs: 60_000 },
          { letter: DUE.totalLimit, key: FIRST, runId, inMs: 90_000 },
        ],
      );
    },
    answer: undefined,
  },
  cancel: {
    arrange: running(FIRST),
    make: ({ tag, state }, runId) => state.transitions.cancelRun(tag, runId, ERROR),
    answer: { reply: 'cancelling' },
  },
  'cancel before it begins': {
    arrange: fresh,
    make: ({ tag, state }, runId) => state.transitions.cancelRun(tag, runId, ERROR),
    answer: { reply: 'cancelling', status: 'C' },
  },
  'time out the run': {
    arrange: running(FIRST),
    make: ({ tag, state }, runId) => state.transitions.timeOutRun(tag, runId, ERROR),
    answer: undefined,
  },
  pause: {
    arrange: fresh,
    make: ({ tag, state }, runId) => state.transitions.pauseOrResume('pause-run', tag, runId),
    answer: undefined,
  },
  resume: {
    arrange: async (partition, runId) => {
      await partition.state.transitions.pauseOrResume('pause-run', partition.tag, runId);
      await claimOf(partition, runId, FIRST, `attempt-of-${runId}`);
      return undefined;
    },
    make: ({ tag, state }, runId) => state.transitions.pauseOrResume('resume-run', tag, runId),
    answer: undefined,
  },
};
