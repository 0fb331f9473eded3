import { pathToFileURL } from 'node:url';
import type { Violation } from '@flotilla/checker';
import { ownModule } from '@flotilla/local-fleet';

/**
 * What can be switched off to see that the checks find what it prevents, with the mutation of `preload/mutate.ts` and the
 * invariants that are broken without it. docs/reference/chaos.md says the same, which a test compares.
 */
const WITHOUT = {
  lease: { mutation: 'no-lease', breaks: ['V2', 'V16'] },
  fence: { mutation: 'no-fence', breaks: ['V5'] },
  reconciler: { mutation: 'no-reconciler', breaks: ['V2', 'V16'] },
} as const;

export type Safeguard = keyof typeof WITHOUT;

export const SAFEGUARDS = Object.keys(WITHOUT) as Safeguard[];

export function brokenWithout(safeguard: Safeguard): readonly string[] {
  return WITHOUT[safeguard].breaks;
}

/**
 * Which invariants should have been found broken without a safeguard and were not; none: the checks find what it prevents. Only
 * what happened to runs counts: that a fault shows no effect, or a process complains, breaks invariants as well.
 */
export function findNotBroken(
  safeguard: Safeguard,
  violations: readonly Pick<Violation, 'invariant' | 'runId'>[],
): string[] {
  const broken = new Set(violations.flatMap(({ invariant, runId }) => (runId === undefined ? [] : [invariant])));
  return brokenWithout(safeguard).filter((invariant) => !broken.has(invariant));
}

/** For processes that are to work without it. */
export function withoutSafeguard(safeguard: Safeguard): ProcessSettings {
  return withMutation(WITHOUT[safeguard].mutation);
}

interface ProcessSettings {
  env: Record<string, string>;
  nodeArgs: string[];
}

/** For processes that change the transitions as they read them, by a mutation of `preload/mutate.ts`; no file is touched. */
export function withMutation(mutation: string): ProcessSettings {
  const hook = pathToFileURL(ownModule('../preload/mutate', import.meta.url)).href;
  return { env: { FLOTILLA_MUTATION: mutation }, nodeArgs: ['--import', hook] };
}
