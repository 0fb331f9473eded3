import { fileURLToPath } from 'node:url';
import type { Violation } from '@flotilla/testing';

/**
 * What can be switched off to see that the checks find what it prevents, with the mutation of `tests/chaos/mutate.mjs` and the
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

/** For processes that are to work without it. They change the transitions as they read them; no file is touched. */
export function withoutSafeguard(safeguard: Safeguard): { env: Record<string, string>; nodeArgs: string[] } {
  const hook = fileURLToPath(new URL('../mutate.mjs', import.meta.url));
  return { env: { FLOTILLA_MUTATION: WITHOUT[safeguard].mutation }, nodeArgs: ['--import', hook] };
}
