/**
 * The stored format: every letter, field, position and argument that the Lua transitions and TypeScript share. TypeScript
 * packs and parses with these tables; `lua-source.ts` puts them into the Lua as literals, where they have the same names
 * (`STEP.running`, `FIELD.meta`, `header[H.fence]`, `A.runId`). Stored: never change what a letter or a position means.
 */

/** State of a step: what its header begins with. */
export const STEP = {
  running: 'R',
  succeeded: 'S',
  backingOff: 'B',
  ready: 'Y',
  parked: 'P',
  failed: 'F',
  quarantined: 'Q',
  cancelled: 'X',
  skipped: 'K',
  delaying: 'D',
  /** For something from outside the run. */
  waiting: 'W',
  mapRunning: 'M',
  mapSucceeded: 'V',
} as const;

/** What stands for the state of a step that has no header yet. Never stored. */
export const NO_HEADER = '-';

/** States, as one text, in which something may happen to a step. */
export const STATES = {
  /** Nothing of it has run, or it waits to be tried again: it may be parked, or handed out once more. */
  unclaimed: NO_HEADER + STEP.ready + STEP.parked,
  /** It has a header, and still waits for an attempt that is not timed: its queued time runs. */
  queued: STEP.ready + STEP.parked,
  /** It has a header and has not settled: its total time runs. */
  unsettled: STEP.ready + STEP.parked + STEP.backingOff + STEP.running,
} as const;

/** Status of a run: what its meta field begins with. */
export const RUN = {
  pending: 'n',
  running: 'r',
  paused: 'p',
  /** It will end failed, cancelled or timed out: nothing new of it starts. */
  ending: 'e',
  /** It had ended, and what is to run again is being reset. */
  reopening: 'a',
  succeeded: 'S',
  failed: 'F',
  cancelled: 'C',
  timedOut: 'T',
} as const;

/** How an ending run ends: what `FIELD.ending` begins with. */
export const ENDING = { failed: 'f', cancelled: 'c', timedOut: 't' } as const;

/** Kinds of entries of the due index. */
export const DUE = {
  /** A dispatched step that nobody has claimed. */
  hint: 'q',
  backoff: 'b',
  parked: 'p',
  delay: 'd',
  queuedLimit: 'w',
  totalLimit: 't',
  runLimit: 'r',
  waitLimit: 'x',
} as const;

/** Kinds of due entries, as one text, that end together. */
export const TIMERS = {
  ofStep: DUE.hint + DUE.backoff + DUE.delay + DUE.queuedLimit + DUE.totalLimit + DUE.parked + DUE.waitLimit,
  /** What waits for the next attempt of a step. */
  ofWaitingStep: DUE.queuedLimit + DUE.backoff + DUE.parked + DUE.hint,
  ofWaitingCleanup: DUE.hint + DUE.backoff + DUE.parked,
} as const;

/** Kinds of outbox entries. */
export const OUTBOX = {
  entryGroup: 'E',
  group: 'G',
  step: 'S',
  /** A worker could not compile the definition of a step that was handed out. */
  refusedStep: 'N',
  heldSteps: 'H',
  output: 'F',
  sweep: 'C',
  reopen: 'A',
  waitAnswered: 'W',
  closeWaits: 'w',
  startChild: 'B',
  childEnded: 'P',
  iterationEnded: 'L',
  joinChannel: 'J',
  /** What a committed attempt has done with channels is to be carried out. */
  channelWork: 'T',
  /** Of a channel, not of a run: `M|channel`. */
  deliver: 'M',
  /** The field of a stream message that holds the entries, one a line. */
  field: 'e',
} as const;

/** Fields of a run's hash. */
export const FIELD = {
  /** `status|createdAt|live attempts|end steps that have not settled|output is an expression|a step failed for good[|u]`. */
  meta: 'm',
  definition: 'd',
  workflow: 'w',
  version: 'v',
  input: 'i',
  output: 'o',
  bodyHash: 'b',
  tags: 't',
  endedAt: 'z',
  /** `how|error or reason (JSON)` of an ending run. */
  ending: 'x',
  /** Error of the first step that failed for good, while the run goes on. */
  failure: 'f',
  /** `at|seq` of the cancellation that took effect. */
  cancellation: 'y',
  /** `opening|cleanups of earlier openings|selection`. */
  opening: 'a',
  /** `registered|left|failed|begun`. */
  cleanups: 'u',
  /** Number of the failed cleanup of an ended run that is being made again. */
  cleanupAgain: 'e',
  /** When the run was last resumed, as an offset. */
  resumedAt: 'l',
  /** Steps that maps have made. */
  madeSteps: 'n',
  /** How many of its steps wait for what: `reason=count`, joined by `;`. */
  waits: 'Y',
  /** Fingerprints of the errors that it has met, each with a `,` behind it. */
  errors: 'E',
  /** The `traceparent` that its caller brought. */
  traceparent: 'T',
} as const;

/** What fields of a run's hash begin with of which there are many; a step key, a group's number or a cleanup's number follows. */
export const PREFIX = {
  header: 's',
  output: 'o',
  item: 'i',
  counter: 'g',
  /** Of a chain's first step: the step that the chain has reached. */
  chain: 'c',
  progress: 'k',
  setAside: 'b',
  /** Workers that the step was lost with. */
  losses: 'q',
  /** `first attempt|count`: attempts of a step, since that first one, that a rate limit has ended. */
  rateLimited: 'e',
  cleanup: 'u',
  /** Of a step: digests of the cleanups it has registered. */
  registered: 'h',
  /** Of an item of a retried map: the next item that has to run again. */
  nextItem: 'j',
  /** Of a step that was undone: the opening in which it was made again. */
  redoneIn: 'r',
} as const;

/** Fields of a run's hash that only runs with waits, signals or a parent have. */
export const WAIT_FIELD = {
  /** `open waits|unclaimed signals|messages so far`. */
  counts: 'W',
  /** Signals that no step has claimed, in order of arrival: `name|number,…`. */
  unclaimed: 'Wq',
  /** Bytes of those. */
  unclaimedBytes: 'Wz',
  /** Steps that wait for a signal, in order of arrival: `name|step key,…`. */
  waiters: 'Wv',
  /** Steps that asked for an approval: `step key,…`. */
  approvals: 'Wa',
  /** Of a child: the step of its parent that waits for it, `run|step key`. */
  parent: 'Wp',
  /** A message, by its number. */
  message: 'Wb',
  /** What an approval is about, by step key. */
  detail: 'Wd',
  /** Number of the signal that was sent with an idempotency key, by that key. */
  sentWith: 'Wk',
  /** Channels of the run's own that steps of it have waited at, by stored name: `name,…`. */
  channels: 'Wc',
  /** What a committed attempt has done with channels and is not carried out yet, by `step key|fence`: `ChannelWork`, JSON. */
  channelWork: 'Ws',
  /** `cost|tokens` of the run, cost in millionths of a dollar; with `step key|fence` behind it of one attempt. */
  usage: 'Wu',
} as const;

/** What ended a wait, when no message did. */
export const WAIT_ANSWER = { timeout: 'timeout', child: 'child', closed: 'closed' } as const;

/** Fields of a run's hash, as one text, that end together. */
export const FIELDS = {
  ofEndedRun: FIELD.cleanups + FIELD.cancellation + FIELD.endedAt,
  ofEnding: FIELD.ending + FIELD.output + FIELD.cancellation,
} as const;

/** A group's join, in edges and groups that are handed to transitions. */
export const JOIN = { all: 'a', any: 'y' } as const;

/** State of an idempotency record whose run is of another partition. */
export const RECORD = { reserved: 'r', confirmed: 'c', either: 'rc' } as const;

/** What a claim is told of its step, in its group text. */
export const CLAIM_TRAIT = { queuedLimit: 'w', ofItems: 'm' } as const;

/** What a commit is told of its step. */
export const COMMIT_TRAIT = {
  totalLimit: 't',
  endStep: 'e',
  wantsInput: 'i',
  compensated: 'c',
  ofItems: 'm',
  /** Behind its output stand, each on a line, the run's own channels that it has used and what it did with channels. */
  usesChannels: 's',
} as const;

/** The last part of a run's meta field when steps of it were undone and made again. */
export const UNDONE_STEPS = 'u';

/** How the items of a map end it: `mode` of its header. A broadcast's is followed by how many must succeed. */
export const MAP_MODE = { broadcast: 'q', loop: 'l' } as const;

/** What stands for a loop between two iterations, as the kind of a wait. */
export const LOOP_WAIT = 'loop';

/** Part of a running map's header: some of its items have succeeded before a retry. */
export const RETRIED_MAP = 'r';
/** In the place of failFast: the failure of the step is not the run's. */
export const TOLERATED = 't';

export type HeaderState = (typeof STEP)[keyof typeof STEP];
export type RunLetter = (typeof RUN)[keyof typeof RUN];
export type DueLetter = (typeof DUE)[keyof typeof DUE];

const BEGUN = ['state', 'failures', 'crashes', 'fence', 'attemptId', 'worker', 'firstAt', 'startedAt'] as const;
const ENDED = [...BEGUN, 'endedAt'] as const;

/** A failed map's header: that of a failed step, with its items behind it. */
export const FAILED_MAP_LAYOUT = [...ENDED, 'items', 'next', 'succeeded', 'failed'] as const;

/** Parts of a step's header by its state, joined by `|`. Times and fences are offsets from the run's creation in ms. */
export const LAYOUT = {
  [STEP.running]: [...BEGUN, 'chainHead', 'deadline'],
  [STEP.succeeded]: [...ENDED, 'checkpointAt', 'seq', 'checksum', 'previous'],
  [STEP.backingOff]: [...ENDED, 'dueAt'],
  [STEP.ready]: ENDED,
  [STEP.parked]: [...ENDED, 'reason'],
  [STEP.failed]: ENDED,
  [STEP.quarantined]: ENDED,
  [STEP.cancelled]: [...ENDED, 'reason'],
  [STEP.skipped]: [...ENDED, 'reason'],
  [STEP.delaying]: [...ENDED, 'dueAt'],
  [STEP.waiting]: [...ENDED, 'dueAt', 'waitKind', 'subject', 'answer'],
  [STEP.mapRunning]: [
    'state',
    'items',
    'next',
    'succeeded',
    'failed',
    'concurrency',
    'tolerated',
    'startedAt',
    'retried',
    'mode',
  ],
  [STEP.mapSucceeded]: ['state', 'items', 'failed', 'startedAt', 'endedAt', 'endedBy'],
} as const satisfies Record<HeaderState, readonly string[]>;

type Positions<Parts extends readonly string[]> = { readonly [Name in Parts[number]]: number };

/** Where a part stands, from 0. */
function positionsOf<const Parts extends readonly string[]>(layouts: readonly Parts[]): Positions<Parts> {
  const entries = layouts.flatMap((layout) => layout.map((name, index) => [name, index] as const));
  return Object.fromEntries(entries) as Positions<Parts>;
}

/** Positions of the parts of all headers that are not of a map. A name stands at one place, whatever the state. */
export const HEADER = positionsOf([
  LAYOUT[STEP.running],
  LAYOUT[STEP.succeeded],
  LAYOUT[STEP.backingOff],
  LAYOUT[STEP.parked],
  LAYOUT[STEP.waiting],
]);
export const MAP_HEADER = positionsOf([LAYOUT[STEP.mapRunning]]);
export const SUCCEEDED_MAP_HEADER = positionsOf([LAYOUT[STEP.mapSucceeded]]);
export const FAILED_MAP_HEADER = positionsOf([FAILED_MAP_LAYOUT]);

/** What every call of a library function begins with; transitions follow. */
export const CALL_ARGUMENTS = ['leaseDurationMs', 'namespace'] as const;

/** What stands in front of each transition's arguments. `count`: of its arguments, of hot ones of the transitions that share them. */
export const ENTRY_ARGUMENTS = ['name', 'tag', 'count'] as const;

/** What puts an error into its group; the message is normalised. */
const ERROR = ['errorHandler', 'errorCode', 'errorType', 'errorMessage'] as const;

const ATTEMPT = ['runId', 'key', 'fence', 'attemptId'] as const;

/** Arguments of each transition by name and in order; more of them may follow (see its Lua file). */
export const ARGUMENTS = {
  'create-run': [
    'runId',
    'definitionHash',
    'workflow',
    'version',
    'input',
    'bodyHash',
    'tagsJson',
    'endSteps',
    'hasOutput',
    'timeoutMs',
    'keyHash',
    'keyTtlMs',
    'definitionText',
    'parent',
    'traceparent',
    'runNumber',
  ],
  'reserve-key': ['keyHash', 'runId', 'bodyHash', 'keyTtlMs'],
  'confirm-key': ['keyHash', 'runId', 'bodyHash', 'keyTtlMs'],
  'find-run': ['runId'],
  'take-untraced': ['limit', 'lagMs', 'againInMs', 'maxAgeMs'],
  'end-traces': [],
  dispatched: ['entryCount'],
  'refuse-definition': ['runId', 'definitionHash', 'key'],
  'hand-back': [],
  'register-cleanup': [...ATTEMPT, 'use', 'input', 'digest'],
  'retry-cleanup': ['runId', 'number'],
  'claim-cleanup': ['runId', 'key', 'attemptId', 'worker', 'attemptMs'],
  'end-cleanup': [...ATTEMPT, 'becomes', 'data', 'delayMs', ...ERROR],
  fail: [
    'runId',
    'key',
    'fence',
    'attemptIdOrStates',
    'event',
    'error',
    'delayMs',
    'failFast',
    'isEndStep',
    'hasTotalLimit',
    'parent',
    'runError',
    'finalState',
    'edges',
    'successEdges',
    'wasAlone',
    'opening',
    'isRateLimited',
    ...ERROR,
  ],
  release: [...ATTEMPT, 'reason'],
  'park-attempt': [...ATTEMPT, 'reason', 'againInMs'],
  'save-progress': [...ATTEMPT, 'state', 'checkpoint'],
  'load-progress': ['runId', 'key'],
  'set-aside-progress': [...ATTEMPT, 'newest', 'places', 'data'],
  'report-corruption': ['runId', 'key', 'data'],
  settle: [
    'runId',
    'key',
    'state',
    'detail',
    'body',
    'from',
    'failFast',
    'isEndStep',
    'timers',
    'runError',
    'edges',
    'opening',
    ...ERROR,
  ],
  'start-delay': ['runId', 'key', 'forMs', 'opening'],
  'stage-items': ['runId', 'key', 'opening', 'first'],
  'start-map': ['runId', 'key', 'items', 'concurrency', 'tolerated', 'maxSteps', 'definitionSteps', 'opening', 'mode'],
  'continue-loop': ['runId', 'key', 'iterations', 'item', 'maxSteps', 'definitionSteps'],
  'end-loop': ['runId', 'key', 'iterations', 'endedBy', 'isEndStep', 'edges'],
  'start-wait': ['runId', 'key', 'opening', 'waitKind', 'subject', 'limitMs', 'detail'],
  'send-signal': ['runId', 'signal', 'body', 'sentWith'],
  'answer-wait': ['runId', 'key', 'waitKind', 'subject', 'body', 'data', 'sentWith'],
  'close-waits': ['runId'],
  'count-usage': ['runId', 'key', 'fence', 'costMicros', 'tokens', 'pauseEachMicros', 'pauseEachTokens'],
  'channel-work-done': ['runId', 'key', 'fence'],
  park: ['runId', 'key', 'reason', 'againInMs', 'group'],
  'take-due': ['limit'],
  recheck: ['runId', 'key', 'againInMs', 'handsOutAgain'],
  reclaim: ['limit', 'pauseMs', 'suspensionMs', 'crashLimit'],
  'end-timer': ['letter', 'key', 'runId'],
  renew: ['worker', 'endingSince'],
  leave: ['worker'],
  'cancel-run': ['runId', 'reason'],
  'time-out-run': ['runId', 'error', ...ERROR],
  'fail-run': ['runId', 'error', 'setAside', ...ERROR],
  'finish-run': ['runId', 'outcome', 'result', ...ERROR],
  'pause-run': ['runId'],
  'resume-run': ['runId'],
  'send-held': ['runId'],
  'sweep-run': ['runId'],
  'append-logs': ['runId', 'key', 'chunk', 'dropped'],
  'prune-run': ['runId', 'channelsAreGone'],
  'tidy-indexes': ['before', 'maxKept', 'limit'],
  'retry-run': ['runId', 'seenOpening', 'selection', 'data', 'mustBeDead'],
  'reset-steps': ['runId', 'opening', 'keyCount'],
  'reopen-run': ['runId', 'opening', 'endSteps', 'failure', 'timeoutMs'],
  'discard-dead-letters': ['runId', 'seenOpening'],
} as const;

/** What is repeated behind the arguments of these transitions. */
export const REPEATED_ARGUMENTS = {
  dispatched: ['letter', 'key', 'runId', 'inMs'],
  'hand-back': ['runId', 'definitionHash', 'key'],
} as const;

/** Arguments that claims and commits of a group share, and those that each has. */
export const HOT_ARGUMENTS = {
  claim: { shared: ['runId', 'worker', 'wantsInput', 'group', 'sources'], own: ['key', 'attemptId'] },
  commit: {
    shared: ['runId', 'worker', 'traits', 'nextItemAttemptMs', 'edges', 'sources'],
    own: ['key', 'fence', 'attemptId', 'output', 'checkpoint', 'nextAttemptId'],
  },
} as const;
