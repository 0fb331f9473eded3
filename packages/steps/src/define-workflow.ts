import type {
  CompensationDefinition,
  MapEachDefinition,
  StepDefinition,
  WorkflowDefinition,
} from '@flotilla/contracts';
import { type AgentHandler, isHandler, type StepHandler } from './define-step.ts';

type OfKind<Union extends { kind: string }, Kind extends Union['kind']> = Extract<Union, { kind: Kind }>;

/** Handlers may stand where the document has their names. */
interface HandlerReferences {
  use: string | StepHandler;
  capability: string | AgentHandler;
  compensate: string | StepHandler | (Omit<CompensationDefinition, 'use'> & { use: string | StepHandler });
}
type WithHandlers<Step> = {
  [Key in keyof Step]: Key extends keyof HandlerReferences
    ? Extract<Step[Key], undefined> | HandlerReferences[Key]
    : Step[Key];
};

/** What a map does with each item. */
export type WorkflowEach =
  | WithHandlers<OfKind<MapEachDefinition, 'task'>>
  | WithHandlers<OfKind<MapEachDefinition, 'agent'>>
  | OfKind<MapEachDefinition, 'http'>;

type WithNeeds<Step, StepId extends string> = Omit<Step, 'needs'> & { needs?: readonly StepId[] };

/** A step as `defineWorkflow` takes it: needs and branch targets must be ids of steps of the same workflow. */
export type WorkflowStep<StepId extends string = string> =
  | WithNeeds<WithHandlers<OfKind<StepDefinition, 'task'>>, StepId>
  | WithNeeds<WithHandlers<OfKind<StepDefinition, 'agent'>>, StepId>
  | WithNeeds<WithHandlers<OfKind<StepDefinition, 'http'>>, StepId>
  | WithNeeds<OfKind<StepDefinition, 'delay'>, StepId>
  | (Omit<WithNeeds<OfKind<StepDefinition, 'broadcast'>, StepId>, 'each'> & { each?: WorkflowEach })
  | (Omit<WithNeeds<OfKind<StepDefinition, 'loop'>, StepId>, 'each'> & { each: WorkflowEach })
  | (Omit<WithNeeds<OfKind<StepDefinition, 'handoff'>, StepId>, 'each'> & { each: WorkflowEach })
  | (Omit<WithNeeds<OfKind<StepDefinition, 'conversation'>, StepId>, 'each'> & { each: WorkflowEach })
  | WithNeeds<OfKind<StepDefinition, 'signal'>, StepId>
  | WithNeeds<OfKind<StepDefinition, 'approval'>, StepId>
  | WithNeeds<OfKind<StepDefinition, 'webhook'>, StepId>
  | WithNeeds<OfKind<StepDefinition, 'workflow'>, StepId>
  | WithNeeds<OfKind<StepDefinition, 'send'>, StepId>
  | WithNeeds<OfKind<StepDefinition, 'receive'>, StepId>
  | (Omit<WithNeeds<OfKind<StepDefinition, 'branch'>, StepId>, 'cases' | 'otherwise'> & {
      cases: readonly { when: string; to: StepId }[];
      otherwise?: StepId;
    })
  | (Omit<WithNeeds<OfKind<StepDefinition, 'map'>, StepId>, 'each'> & { each: WorkflowEach });

export type WorkflowOptions<StepId extends string> = Omit<WorkflowDefinition, 'flotilla' | 'steps'> & {
  flotilla?: 1;
  steps: Record<StepId, WorkflowStep<NoInfer<StepId>>>;
};

/**
 * Writes a workflow in TypeScript. What it returns is the JSON document that the same workflow in YAML or JSON reads
 * as; handlers in `use`, `capability` and `compensate` become their names. What the document means (references,
 * cycles, expressions) is checked where every document is: by `flotilla validate` and at submission.
 */
export function defineWorkflow<const StepId extends string>(workflow: WorkflowOptions<StepId>): WorkflowDefinition {
  const { flotilla = 1, steps, ...rest } = workflow;
  const named = Object.entries<WorkflowStep<StepId>>(steps).map(([id, step]) => [id, toDocument(step)] as const);
  // `fromEntries` defines its keys, so that a step called __proto__ stays visible to the compiler, which refuses it.
  return withoutUndefined({ flotilla, ...rest, steps: Object.fromEntries(named) }) as WorkflowDefinition;
}

function toDocument(step: object): object {
  const document: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(step)) {
    if (isHandler(value)) {
      document[key] = key === 'capability' ? value.capability : value.name;
    } else if ((key === 'each' || key === 'compensate') && typeof value === 'object' && value !== null) {
      document[key] = toDocument(value);
    } else {
      document[key] = value;
    }
  }
  return withoutUndefined(document);
}

/** JSON has no undefined; an author's `title: undefined` means no title. Only the language's own levels are touched. */
function withoutUndefined(record: object): object {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
