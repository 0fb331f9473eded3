import { FlotillaError, type Json, type Problem, startRunZ } from '@flotilla/contracts';
import { canonicalJson, type Plan, sha256Hex } from '@flotilla/engine';
import { z } from 'zod';
import type { InputSchemas } from './input/input-schemas.ts';
import { isLargerThan } from './input/is-larger-than.ts';
import { type LiveAgents, missingHandlers } from './live-agents.ts';
import type { PlanSource } from './plan-source.ts';
import type { CreateRun } from './run-api.ts';
import { validationFailed } from './zod-problems.ts';

/** As `startRunZ`, without walking the input again: it came out of the JSON parser. */
export const startRunBodyZ = startRunZ.extend({ input: z.unknown().optional() });
export type StartRunBody = z.infer<typeof startRunBodyZ>;

export interface StartRunContext {
  plans: PlanSource;
  inputs: InputSchemas;
  agents: LiveAgents;
  maxInputBytes: number;
  idempotencyTtlMs: number;
}

export interface PreparedRun {
  request: CreateRun;
  /** Handlers that no worker has now, and what the compiler warned about. */
  warnings: readonly Problem[];
}

/** Turns a submission into what state stores. VALIDATION_FAILED, DEFINITION_INVALID, WORKFLOW_NOT_FOUND, INPUT_INVALID. */
export async function prepareRun(
  body: StartRunBody,
  context: StartRunContext,
  named: (name: string) => Promise<Plan> = (name) => context.plans.named(name),
): Promise<PreparedRun> {
  const { plan, warnings } = await planOf(body, context, named);
  const input = (body.input ?? {}) as Json;
  if (isLargerThan(input, context.maxInputBytes)) throw inputTooLarge(JSON.stringify(input), context);
  const inputJson = canonicalJson(input);
  if (Buffer.byteLength(inputJson) > context.maxInputBytes) throw inputTooLarge(inputJson, context);
  const problems = await context.inputs.check(plan, input, inputJson.length);
  if (problems.length > 0) {
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more problems)` : '';
    throw new FlotillaError('INPUT_INVALID', `${problems[0]!.path}: ${problems[0]!.message}${more}`, { problems });
  }
  const tags = [...new Set(body.tags ?? [])];
  const request: CreateRun = {
    plan,
    inputJson,
    bodyHash: sha256Hex(`${submissionIdentity(body, plan)}\n${tags.join(',')}\n${inputJson}`),
    tags,
    durability: body.durability ?? 'fast',
    idempotencyTtlMs: context.idempotencyTtlMs,
    ...(body.runId !== undefined && { runId: body.runId }),
    ...(body.idempotencyKey !== undefined && { idempotencyKey: body.idempotencyKey }),
  };
  const agents = await context.agents.list();
  return { request, warnings: agents === undefined ? warnings : [...warnings, ...missingHandlers(plan, agents)] };
}

/**
 * What the caller named, not what the name meant at that moment: a repeated start must find its run also when another
 * version of the workflow was registered in between.
 */
function submissionIdentity({ workflow }: StartRunBody, plan: Plan): string {
  return workflow === undefined ? plan.hash : `workflow:${workflow}`;
}

function inputTooLarge(inputJson: string, { maxInputBytes }: StartRunContext): FlotillaError {
  const bytes = Buffer.byteLength(inputJson);
  const message = `the input has ${bytes} bytes, more than the ${maxInputBytes} that FLOTILLA_MAX_INPUT_BYTES allows`;
  const problems = [{ code: 'PAYLOAD_TOO_LARGE', path: '/input', message }];
  return new FlotillaError('PAYLOAD_TOO_LARGE', message, { problems });
}

async function planOf(
  body: StartRunBody,
  context: StartRunContext,
  named: (name: string) => Promise<Plan>,
): Promise<{ plan: Plan; warnings: readonly Problem[] }> {
  const { workflow, definition } = body;
  if (workflow !== undefined && definition === undefined) return { plan: await named(workflow), warnings: [] };
  if (workflow === undefined && definition !== undefined) return context.plans.compile(definition);
  const both = workflow !== undefined;
  throw validationFailed([
    {
      code: both ? 'ILLEGAL_VALUE' : 'MISSING_FIELD',
      path: both ? '/definition' : '/workflow',
      message: both ? 'give `workflow` or `definition`, not both' : 'give `workflow` (a name) or `definition`',
    },
  ]);
}
