import { z } from 'zod';

/** What differs between two runs of a workflow. */
export const DIVERGENCES = [
  /** They are of different definitions; `stepId` is absent. */
  'definition',
  /** They were started with different inputs; `stepId` is absent. */
  'input',
  /** One has settled the step otherwise: succeeded, failed, skipped. */
  'status',
  'output',
  'error',
  /** A map was given another number of items. */
  'items',
] as const;

export const runSideZ = z.object({
  runId: z.string(),
  status: z.string().optional(),
  /** SHA-256 of the canonical JSON: no payload is shown. */
  hash: z.string().optional(),
});

/** Compares stored results in the order of the definition: the first that differs is the cause, what follows may be its consequence. */
export const runComparisonZ = z.object({
  runId: z.string(),
  otherRunId: z.string(),
  /** Absent: nothing differs in what both have. */
  firstDivergence: z
    .object({
      /** Absent where the runs differ as a whole. A step, or an item of a map. */
      stepId: z.string().optional(),
      what: z.enum(DIVERGENCES),
      run: runSideZ,
      other: runSideZ,
    })
    .optional(),
  /** Steps and items that both runs have settled and that were compared. */
  compared: z.number(),
  /** Steps that differ, the first included; those of one run that the other has not settled yet are not counted. */
  differing: z.number(),
});
export type RunComparison = z.infer<typeof runComparisonZ>;
