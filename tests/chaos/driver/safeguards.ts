import { fileURLToPath } from 'node:url';

/** What can be switched off to see that the checks find what it prevents: name -> mutation of `tests/chaos/mutate.mjs`. */
const MUTATIONS = { lease: 'no-lease', fence: 'no-fence', reconciler: 'no-reconciler' } as const;

export type Safeguard = keyof typeof MUTATIONS;

export const SAFEGUARDS = Object.keys(MUTATIONS) as Safeguard[];

/** For processes that are to work without it. They change the transitions as they read them; no file is touched. */
export function withoutSafeguard(safeguard: Safeguard): { env: Record<string, string>; nodeArgs: string[] } {
  const hook = fileURLToPath(new URL('../mutate.mjs', import.meta.url));
  return { env: { FLOTILLA_MUTATION: MUTATIONS[safeguard] }, nodeArgs: ['--import', hook] };
}
