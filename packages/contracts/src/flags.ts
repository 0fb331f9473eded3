import { z } from 'zod';
import { nearestName } from './nearest-name.ts';

/**
 * Behaviours that change what a run sees, each with a switch of its own. `run`: may be given to a share of the runs, chosen
 * by a hash of their id, the same ones everywhere and always. `fleet`: on or off, as it is about the whole process.
 */
export const FLAGS = {
  'spread-retries': { scope: 'run', description: 'what failed together comes back evenly over half a minute' },
  'isolate-suspects': {
    scope: 'run',
    description: 'a step that was lost with its worker twice is made in a process of its own',
  },
  breakers: { scope: 'run', description: 'steps with a `breaker` wait, uncharged, while their dependency is down' },
  compensate: {
    scope: 'run',
    description: 'steps that have succeeded are compensated when their run does not succeed',
  },
  'health-routing': {
    scope: 'fleet',
    description: 'agents whose steps fail or take too long are taken out of routing',
  },
  'adaptive-concurrency': { scope: 'fleet', description: 'workers that run short of memory or handles take less work' },
  'slow-start': { scope: 'fleet', description: 'after an outage of Redis workers begin with a tenth of their slots' },
  'storage-watermarks': { scope: 'fleet', description: 'while Redis is nearly full, runs are refused and steps held' },
} as const satisfies Record<string, { scope: 'run' | 'fleet'; description: string }>;

export type FlagName = keyof typeof FLAGS;
export type RunFlagName = { [Name in FlagName]: (typeof FLAGS)[Name]['scope'] extends 'run' ? Name : never }[FlagName];

/** Percent of the runs for which each is on; 0 is off, 100 on. Of a `fleet` flag one of these two. */
export type Flags = Readonly<Record<FlagName, number>>;

export const FLAG_NAMES = Object.keys(FLAGS) as FlagName[];

/** Everything is on unless it is switched off. */
export const DEFAULT_FLAGS = Object.fromEntries(FLAG_NAMES.map((name) => [name, 100])) as Record<FlagName, number>;

/** `name=on`, `name=off` or `name=25%`, comma separated, as FLOTILLA_FLAGS has it. All problems are told at once. */
export const flagsZ = z.string().transform((text, context): Flags => {
  const flags: Record<FlagName, number> = { ...DEFAULT_FLAGS };
  for (const part of text.split(',')) {
    if (part.trim() === '') continue;
    const [name = '', value = ''] = part.split('=').map((side) => side.trim());
    if (!isFlagName(name)) {
      const meant = nearestName(name, FLAG_NAMES);
      const hint = meant === undefined ? `there are ${FLAG_NAMES.join(', ')}` : `did you mean ${meant}?`;
      context.addIssue({ code: 'custom', message: `there is no flag ${name}: ${hint}` });
      continue;
    }
    const percent = percentOf(value);
    if (percent === undefined || (FLAGS[name].scope === 'fleet' && percent % 100 !== 0)) {
      const wanted = FLAGS[name].scope === 'fleet' ? 'on or off' : 'on, off or a percentage such as 25%';
      context.addIssue({ code: 'custom', message: `${name} takes ${wanted}, not ${value === '' ? 'nothing' : value}` });
      continue;
    }
    flags[name] = percent;
  }
  return flags;
});

function isFlagName(name: string): name is FlagName {
  return Object.hasOwn(FLAGS, name);
}

function percentOf(value: string): number | undefined {
  if (value === 'on') return 100;
  if (value === 'off') return 0;
  const percent = /^(\d{1,3})%$/.exec(value)?.[1];
  return percent === undefined || Number(percent) > 100 ? undefined : Number(percent);
}

export const flagListZ = z.object({
  flags: z.array(
    z.object({
      name: z.enum(FLAG_NAMES as [FlagName, ...FlagName[]]),
      scope: z.enum(['run', 'fleet']),
      percent: z.number(),
      description: z.string(),
    }),
  ),
});
export type FlagList = z.infer<typeof flagListZ>;

export function listFlags(flags: Flags): FlagList {
  return { flags: FLAG_NAMES.map((name) => ({ name, ...FLAGS[name], percent: flags[name] })) };
}
