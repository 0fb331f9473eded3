import { type HeaderState, RUN, STEP, type StepKey } from '@flotilla/state';

/** What stands for the step: a header, or none before and after its needs have settled. */
export type Subject = HeaderState | 'waiting' | 'ready';
const SUBJECTS: readonly Subject[] = [
  'waiting',
  'ready',
  'R',
  'S',
  'B',
  'Y',
  'P',
  'F',
  'Q',
  'X',
  'K',
  'D',
  'W',
  'M',
  'V',
];
const RUN_LETTERS = ['n', 'r', 'p', 'e', 'S', 'F', 'C', 'T'] as const;
type RunLetter = (typeof RUN_LETTERS)[number];

export function headerOf(subject: Subject, key: StepKey): string | undefined {
  switch (subject) {
    case 'waiting':
    case 'ready':
      return undefined;
    case 'R':
      return `R|0|0|5|held|w1|1|5|${key}|999999`;
    case 'S':
      return 'S|0|0|5|held|w1|1|5|6|6|1|checksum|';
    case 'B':
      return 'B|1|0|5|held|w1|1|5|6|1000000';
    case 'Y':
      return 'Y|0|0|5|held|w1|1|5|6|';
    case 'P':
      return 'P|0|0|5|held||1|5||no-handler';
    case 'F':
    case 'Q':
      return `${subject}|1|0|5|held|w1|1|5|6`;
    case 'X':
      return 'X|0|0|5|held|w1|1|5|6|run-ending';
    case 'K':
      return 'K|0|0||||6|6|6|when-false';
    case 'D':
      return 'D|0|0|0|||6|6||1000000';
    case 'W':
      return 'W|0|0|0|||6|6||1000000|signal|go|';
    case 'M':
      return 'M|3|1|0|0|3|3|6';
    case 'V':
      return 'V|3|0|6|7';
  }
}

export interface Situation {
  subject: Subject;
  run: RunLetter;
  /** An item of a map instead of a step of the definition. */
  isItem: boolean;
  /** Nothing else is left that the run must wait for. */
  isLast: boolean;
  failFast: boolean;
  /** Why a run is ending that is: cancelled, failed or timed out. */
  ending: 'c' | 'f' | 't';
}

/** An attempt cannot run while its run has not begun or has ended: the run waits for it. */
const canBe = ({ subject, run }: Situation) =>
  subject !== 'R' || run === RUN.running || run === RUN.paused || run === RUN.ending;

/** Every pair of states that there can be, in all that matters beside it. */
export function* situations(): Generator<Situation> {
  for (const subject of SUBJECTS) {
    for (const run of RUN_LETTERS) {
      for (const isItem of [false, true]) {
        if (isItem && ['waiting', 'K', 'D', 'W', 'M', 'V'].includes(subject)) continue;
        for (const [isLast, failFast] of [
          [false, false],
          [true, false],
          [false, true],
        ] as const) {
          for (const ending of subject === STEP.running && run === RUN.ending
            ? (['c', 'f', 't'] as const)
            : (['c'] as const)) {
            const situation = { subject, run, isItem, isLast, failFast, ending };
            if (canBe(situation)) yield situation;
          }
        }
      }
    }
  }
}
