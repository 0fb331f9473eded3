/**
 * The faults that the chaos driver can make on one machine, with what the fleet may need to go on after each. Numbers as
 * in docs/reference/chaos.md, which a test compares with this table.
 */

/** What a fault takes hold of: two faults never hold the same worker, Redis or dependency at once. */
export type Hold = 'worker' | 'schedulers' | 'redis' | 'dependency' | 'nothing';

export interface FaultVariant {
  /** Such as `8 s`; empty where there is one way only. */
  name: string;
  /** How long it lasts; 0 for a crash. Starting a process again comes on top. */
  holdMs: number;
}

export interface FaultKind {
  /** As the checker knows it. */
  kind: string;
  what: string;
  hold: Hold;
  variants: readonly FaultVariant[];
  /** From the end of the fault (of a crash, of anything that takes a worker away: from its start) until what it hit goes on. */
  boundMs: number;
  /** Needs something that not every machine has, so it is only made when it is named. */
  onlyNamed?: true;
}

const lasting = (...seconds: number[]): FaultVariant[] =>
  seconds.map((each) => ({ name: `${each} s`, holdMs: each * 1000 }));
const ways = (holdMs: number, ...names: string[]): FaultVariant[] => names.map((name) => ({ name, holdMs }));

const FAULTS = {
  F1: { kind: 'kill-worker', what: 'worker killed (SIGKILL)', hold: 'worker', variants: ways(0, ''), boundMs: 12_000 },
  F2: {
    kind: 'restart-worker',
    what: 'worker drained and started again (SIGTERM)',
    hold: 'worker',
    variants: ways(0, ''),
    boundMs: 5000,
  },
  F3: {
    kind: 'freeze-worker',
    what: 'worker frozen (SIGSTOP), then continued',
    hold: 'worker',
    variants: lasting(14, 2, 8, 40),
    boundMs: 12_000,
  },
  F4: {
    kind: 'block-worker',
    what: "a step blocks the worker's event loop",
    hold: 'worker',
    variants: lasting(8),
    boundMs: 12_000,
  },
  F5: {
    kind: 'kill-schedulers',
    what: 'schedulers killed (SIGKILL), one or all at once',
    hold: 'schedulers',
    variants: ways(0, 'one', 'all'),
    boundMs: 5000,
  },
  F6: {
    kind: 'kill-redis',
    what: 'Redis killed (SIGKILL), then started again',
    hold: 'redis',
    variants: lasting(1, 5, 25),
    boundMs: 5000,
  },
  F8: { kind: 'freeze-redis', what: 'Redis frozen', hold: 'redis', variants: lasting(3, 7, 14), boundMs: 5000 },
  F9: {
    kind: 'busy-redis',
    what: 'Redis held by a script that does not end, until it is killed',
    hold: 'redis',
    variants: lasting(6),
    boundMs: 5000,
  },
  F12: {
    kind: 'cut-off-worker',
    what: 'worker cut off from Redis: nothing gets through, nobody is told',
    hold: 'worker',
    variants: lasting(5, 20),
    boundMs: 12_000,
  },
  F13: {
    kind: 'half-cut-off-worker',
    what: 'worker cut off in one direction',
    hold: 'worker',
    variants: ways(20_000, 'to Redis', 'from Redis'),
    boundMs: 12_000,
  },
  F14: {
    kind: 'slow-network',
    what: 'latency between a worker and Redis, with connections that break',
    hold: 'worker',
    variants: ways(10_000, '50 ms', '200 ms'),
    boundMs: 12_000,
  },
  F15: {
    kind: 'redis-full',
    what: 'Redis at maxmemory',
    hold: 'redis',
    variants: lasting(5),
    boundMs: 5000,
  },
  F16: {
    kind: 'disk-full',
    what: "the disk of Redis' append-only file full",
    hold: 'redis',
    variants: lasting(5),
    boundMs: 5000,
    onlyNamed: true,
  },
  F17: {
    kind: 'worker-out-of-memory',
    what: 'a step uses up the memory of its worker',
    hold: 'worker',
    variants: ways(0, ''),
    boundMs: 12_000,
  },
  F18: {
    kind: 'no-connections',
    what: 'Redis takes no further connections and all break',
    hold: 'redis',
    variants: lasting(5),
    boundMs: 5000,
  },
  F19: {
    kind: 'wrong-clock',
    what: "a worker's clock jumps, and back",
    hold: 'worker',
    variants: ways(8000, '+60 s', '-60 s', '+1 day', '-1 day'),
    boundMs: 12_000,
  },
  F20: {
    kind: 'poison-step',
    what: 'a step ends its worker, never ends, or throws what is no error',
    hold: 'worker',
    variants: ways(0, 'exit', 'loop', 'throw'),
    boundMs: 12_000,
  },
  F22: {
    kind: 'vandalised-queue',
    what: 'every key of BullMQ deleted',
    hold: 'redis',
    variants: ways(0, ''),
    boundMs: 10_000,
  },
  F25: {
    kind: 'cancel-storm',
    what: 'runs cancelled twice at once at random moments',
    hold: 'nothing',
    variants: ways(0, ''),
    boundMs: 3000,
  },
  F26: {
    kind: 'dead-dependency',
    what: 'a dependency that http steps call is dead',
    hold: 'dependency',
    variants: ways(12_000, 'refuses', 'hangs', 'answers 500'),
    boundMs: 10_000,
  },
} as const satisfies Record<string, FaultKind>;

export type FaultId = keyof typeof FAULTS;

export const FAULT_IDS = Object.keys(FAULTS) as FaultId[];

/** Names of mixes. */
export const MIXES: Readonly<Record<'F27', readonly FaultId[]>> = { F27: ['F1', 'F3', 'F6', 'F12', 'F19'] };

/** What is made while a number of short runs is worked off. */
export const SHORT_RUNS_MIX: readonly FaultId[] = ['F1', 'F3', 'F5', 'F6', 'F12', 'F19'];

/** They come first, so that a few hundred runs meet them, too: a worker that dies, and one that comes back when it was given up. */
export const SHORT_RUNS_BEGIN_WITH: readonly FaultId[] = ['F1', 'F3'];

/** When several faults come together, what they hit may need this long. */
export const MIX_BOUND_MS = 30_000;

export function faultOf(id: FaultId): FaultKind {
  return FAULTS[id];
}

const isMix = (name: string): name is keyof typeof MIXES => Object.hasOwn(MIXES, name);

/**
 * Whether what it hits are attempts that its worker loses. A worker that is drained gives back what it holds, so that
 * there it is the runs that have to go on.
 */
export function takesAttempts(id: FaultId): boolean {
  return faultOf(id).hold === 'worker' && id !== 'F2';
}

/** Reads `F1,F3,F27`; undefined takes every fault that any machine can make. Gives what it does not know as `unknown`. */
export function readFaultList(list: string | undefined): { ids: FaultId[]; unknown: string[] } {
  if (list === undefined) return { ids: FAULT_IDS.filter((id) => !faultOf(id).onlyNamed), unknown: [] };
  const names = list.split(',').map((name) => name.trim().toUpperCase());
  const wanted = new Set(names.flatMap((name) => (isMix(name) ? MIXES[name] : [name as FaultId])));
  return {
    ids: FAULT_IDS.filter((id) => wanted.has(id)),
    unknown: [...wanted].filter((name) => !FAULT_IDS.includes(name)),
  };
}
