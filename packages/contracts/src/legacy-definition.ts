import { z } from 'zod';

/** The legacy document (see docs/reference/definition.md, "Legacy documents"): accepted where a definition is. */
export const legacyRetryZ = z.object({
  maxRetries: z.int().min(0).max(1000),
  backoffMs: z.int().min(0),
  jitter: z.boolean().default(true),
});

export const legacyStepZ = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(['agent', 'http', 'delay', 'branch', 'map']),
  input: z.json().optional(),
  agentId: z.string().optional(),
  toolAllowlist: z.array(z.string()).optional(),
  retry: legacyRetryZ.optional(),
  timeoutMs: z.int().min(1).optional(),
  next: z.string().nullable().optional(),
  branches: z.array(z.object({ when: z.string(), to: z.string() })).optional(),
});
export type LegacyStep = z.infer<typeof legacyStepZ>;

export const legacyDefinitionZ = z.object({
  id: z.guid(),
  name: z.string().min(1),
  version: z.string(),
  entry: z.string(),
  steps: z.record(z.string(), legacyStepZ),
  budget: z
    .object({
      wallClockMs: z.int().min(1),
      maxSteps: z.int().min(1),
      costUSD: z.number().min(0).optional(),
    })
    .optional(),
  metadata: z.record(z.string(), z.json()).optional(),
});
export type LegacyDefinition = z.infer<typeof legacyDefinitionZ>;
