import { FlotillaError, type Problem, parseWorkflowReference } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { loopTurns } from '@flotilla/state';
import { LRUCache } from 'lru-cache';
import type { InputSchemas } from './input/input-schemas.ts';
import type { CompileWorkflow, RunApi } from './run-api.ts';

/** Plans of named workflows that are remembered, together. */
const MAX_PLAN_BYTES = 67_108_864;

export interface CompiledDefinition {
  plan: Plan;
  warnings: readonly Problem[];
}

/** Where requests get their plans: compiled from the definition they carry, or of a registered workflow. */
export class PlanSource {
  readonly #api: Pick<RunApi, 'readWorkflow'>;
  readonly #compile: CompileWorkflow;
  readonly #maxDepth: number;
  readonly #inputs: InputSchemas;
  readonly #plans = new LRUCache<string, Plan>({
    maxSize: MAX_PLAN_BYTES,
    // One that is larger than all of it is still remembered, alone.
    sizeCalculation: ({ memoryBytes }) => Math.min(MAX_PLAN_BYTES, memoryBytes),
  });

  constructor(options: {
    api: Pick<RunApi, 'readWorkflow'>;
    compile: CompileWorkflow;
    maxDepth: number;
    inputs: InputSchemas;
  }) {
    this.#api = options.api;
    this.#compile = options.compile;
    this.#maxDepth = options.maxDepth;
    this.#inputs = options.inputs;
  }

  /**
   * Everything that is wrong with a document, or its plan. Pointers go into the document. Who only wants to know leaves
   * nothing behind (`remember: false`).
   */
  async examine(
    document: unknown,
    { remember }: { remember: boolean },
  ): Promise<{ plan: Plan | undefined; problems: readonly Problem[] }> {
    const result = await loopTurns.runPieces(this.#compile(document, { maxDepth: this.#maxDepth, remember }));
    if (!result.ok) return { plan: undefined, problems: result.problems };
    const schemaProblems = await this.#inputs.schemaProblems(result.plan, { remember });
    const plan = schemaProblems.length === 0 ? result.plan : undefined;
    return { plan, problems: [...schemaProblems, ...result.warnings] };
  }

  /** DEFINITION_INVALID with all problems. */
  async compile(document: unknown): Promise<CompiledDefinition> {
    const { plan, problems } = await this.examine(document, { remember: true });
    if (plan !== undefined) return { plan, warnings: problems };
    throw definitionInvalid(problems);
  }

  /**
   * The plan of a registered workflow, `NAME` or `NAME@VERSION`; WORKFLOW_NOT_FOUND. The registration is read each time, so that a new version
   * counts at once on every scheduler; only compiling is saved.
   */
  async named(reference: string): Promise<Plan> {
    const { name, version } = parseWorkflowReference(reference);
    const view = await this.#api.readWorkflow(name, version);
    if (view === undefined) throw workflowNotFound(name, version);
    const known = this.#plans.get(view.definitionHash);
    if (known !== undefined) return known;
    const { plan } = await this.compile(view.definition);
    this.#plans.set(view.definitionHash, plan);
    return plan;
  }
}

export function workflowNotFound(name: string, version?: string): FlotillaError {
  const which = version === undefined ? name : `${name} in version ${version}`;
  return new FlotillaError('WORKFLOW_NOT_FOUND', `there is no workflow ${which}`);
}

function definitionInvalid(problems: readonly Problem[]): FlotillaError {
  const errors = problems.filter((problem) => problem.severity !== 'warning');
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more problems)` : '';
  const message = `${errors[0]?.path ?? ''}: ${errors[0]?.message ?? 'not a definition'}${more}`;
  return new FlotillaError('DEFINITION_INVALID', message.slice(0, 1000), { problems });
}
