import type { Chance } from '@flotilla/chaos';
import {
  countOf,
  type DraftRecording,
  insert,
  killRedis,
  type Mutant,
  pickFrom,
  placesOf,
  remove,
  TOO_OLD_MS,
} from './mutant.ts';

type Report = DraftRecording['effects'][number];
type Progress = Exclude<Report, { kind: 'effect' }>;
type Effect = Extract<Report, { kind: 'effect' }>;

function progress(recording: DraftRecording, chance: Chance, kind: Progress['kind'], least = 1): Progress {
  const found = recording.effects.filter(
    (report): report is Progress => report.kind === kind && report.number >= least,
  );
  return pickFrom(chance, found, `report that progress was ${kind}`);
}

/** The one checkpoint of a step without progress. */
const results = ({ runs }: DraftRecording) =>
  runs.flatMap((run) => (run.checkpoints ?? []).filter(({ stepId }) => countOf(run, stepId, 'checkpoint-saved') === 0));

/** Gives the moment at which the newer checkpoint was stored, which is as if it had never been. */
export function resumeFromOlder(recording: DraftRecording, chance: Chance): number {
  const loaded = progress(recording, chance, 'loaded', 2);
  const savedAs = (wanted: number) =>
    recording.effects.find(
      (report): report is Progress => report.kind === 'saved' && report.key === loaded.key && report.number === wanted,
    )!;
  const newer = savedAs(loaded.number);
  const { number, stateHash } = savedAs(loaded.number - 1);
  Object.assign(loaded, { number, stateHash });
  for (const report of recording.effects) {
    if (report.kind !== 'effect' && report.key === loaded.key && report.fence === loaded.fence && report !== loaded) {
      report.number -= 1;
    }
  }
  return newer.at;
}

export const V9: readonly Mutant[] = [
  {
    name: 'a result does not match its checksum',
    mutate(recording, chance) {
      pickFrom(chance, results(recording), 'result').verified = false;
    },
  },
  {
    name: 'a result has a number that no checkpoint leads to',
    mutate(recording, chance) {
      pickFrom(chance, results(recording), 'result').seq += 1;
    },
  },
  {
    name: 'the numbers of checkpoints have a gap',
    mutate(recording, chance) {
      const { runId, stepId } = progress(recording, chance, 'saved');
      const own = recording.effects.filter(
        (report): report is Progress => report.kind !== 'effect' && report.runId === runId && report.stepId === stepId,
      );
      const last = Math.max(...own.map(({ number }) => number));
      for (const report of own) if (report.number === last) report.number += 1;
    },
  },
  {
    name: 'an attempt resumes from an older checkpoint',
    mutate(recording, chance) {
      resumeFromOlder(recording, chance);
    },
  },
  {
    name: 'an attempt resumes from an older checkpoint than one that was stored more than 2 s before Redis was killed',
    mutate(recording, chance) {
      killRedis(recording, resumeFromOlder(recording, chance), TOO_OLD_MS);
    },
  },
  {
    name: 'an attempt resumes from a state that nobody saved',
    mutate(recording, chance) {
      progress(recording, chance, 'loaded').stateHash = 'other';
    },
  },
  {
    name: 'a checkpoint that a step was told is stored is not in the history',
    mutate(recording, chance) {
      const { runId, stepId, fence } = progress(recording, chance, 'saved');
      const run = recording.runs.find((candidate) => candidate.run.runId === runId)!;
      remove(
        run,
        run.events.find(
          (event) => event.type === 'checkpoint-saved' && event.stepId === stepId && event.fence === fence,
        )!,
      );
      for (const checkpoint of run.checkpoints ?? []) if (checkpoint.stepId === stepId) checkpoint.seq -= 1;
    },
  },
  {
    name: 'an attempt succeeds on a checkpoint that it found damaged',
    mutate(recording, chance) {
      const place = pickFrom(
        chance,
        placesOf(recording, ({ type }) => type === 'attempt-succeeded'),
        'success',
      );
      const { at, stepId } = place.event;
      insert(place, place.index, {
        seq: 0,
        at,
        type: 'checkpoint-corrupt',
        stepId: stepId!,
        data: { code: 'DATA_CORRUPTION' },
      });
    },
  },
];

/** Effects of committed steps that had one only. */
function loneEffect(recording: DraftRecording, chance: Chance): Effect {
  const effects = recording.effects.filter((report): report is Effect => report.kind === 'effect');
  const isCommitted = ({ runId, stepId }: Effect) =>
    recording.runs.some((run) => run.run.runId === runId && countOf(run, stepId, 'step-succeeded') === 1);
  const lone = effects.filter((effect) => effects.filter(({ key }) => key === effect.key).length === 1);
  return pickFrom(chance, lone.filter(isCommitted), 'effect');
}

/** An effect of an attempt of which the history knows nothing; gives the moment of its claim. */
export function forgetAttempt(recording: DraftRecording, chance: Chance): number {
  const lone = loneEffect(recording, chance);
  const fence = lone.fence + 1;
  recording.effects.push({ ...lone, fence, applied: false });
  return fence;
}

export const V12: readonly Mutant[] = [
  {
    name: 'a committed step had no effect',
    mutate(recording, chance) {
      const lone = loneEffect(recording, chance);
      recording.effects = recording.effects.filter((report) => report !== lone);
    },
  },
  {
    name: 'a result is that of no attempt',
    mutate(recording, chance) {
      loneEffect(recording, chance).outputHash = 'other';
    },
  },
  {
    name: 'an effect comes from an attempt that never started',
    mutate(recording, chance) {
      forgetAttempt(recording, chance);
    },
  },
  {
    name: 'an effect comes from an attempt that never started, more than 2 s before Redis was killed',
    mutate(recording, chance) {
      killRedis(recording, forgetAttempt(recording, chance), TOO_OLD_MS);
    },
  },
  {
    name: 'an effect is applied twice under one key',
    mutate(recording, chance) {
      recording.effects.push({ ...loneEffect(recording, chance) });
    },
  },
  {
    name: 'an effect has the key of another step',
    mutate(recording, chance) {
      loneEffect(recording, chance).key += '-other';
    },
  },
  {
    name: 'the effect of a committed step was refused as a duplicate and never applied',
    mutate(recording, chance) {
      loneEffect(recording, chance).applied = false;
    },
  },
];
