import type { Json } from '@flotilla/contracts';
import type { z } from 'zod';
import type { StepContext } from './step-context.ts';

/** Marks what `defineStep` and `defineAgent` made, also across two copies of this package. */
const HANDLER = Symbol.for('flotilla.handler');

/** What a worker registers: one named piece of code that attempts are made with. */
export interface Handler {
  readonly kind: 'step' | 'agent';
  /** What steps refer to it by: the name of a step handler, `agent:<capability>` of an agent. Unique in a worker. */
  readonly use: string;
  readonly name: string;
  /** Agents: what they can do. */
  readonly capability?: string;
  /** Checked before `run`; its output (defaults, transforms) is what `run` is given. */
  readonly input?: z.ZodType;
  /** Checked after `run`; its output is what is stored. */
  readonly output?: z.ZodType;
  run(input: unknown, context: StepContext): unknown;
}

/** The handler of `task` steps whose `use` is its name. */
export interface StepHandler extends Handler {
  readonly kind: 'step';
}

/** The handler of `agent` steps that ask for its capability. */
export interface AgentHandler extends Handler {
  readonly kind: 'agent';
  readonly capability: string;
}

type RunInput<Input> = Input extends z.ZodType ? z.output<Input> : Json;
type RunOutput<Output> = Output extends z.ZodType ? z.input<Output> : Json;

interface HandlerOptions<Input extends z.ZodType | undefined, Output extends z.ZodType | undefined> {
  input?: Input;
  output?: Output;
  /** Makes one attempt. What it returns is the step's output; what it throws fails the attempt. */
  run(input: RunInput<Input>, context: StepContext): RunOutput<Output> | Promise<RunOutput<Output>>;
}

export interface StepOptions<Input extends z.ZodType | undefined, Output extends z.ZodType | undefined>
  extends HandlerOptions<Input, Output> {
  name: string;
}

export interface AgentOptions<Input extends z.ZodType | undefined, Output extends z.ZodType | undefined>
  extends HandlerOptions<Input, Output> {
  capability: string;
  /** Default: the capability. */
  name?: string;
}

/**
 * Defines the handler of `task` steps with `use: <name>`. Names are checked when the handlers are collected
 * (`handlersOf`), so that all problems of a module are told at once.
 */
export function defineStep<
  Input extends z.ZodType | undefined = undefined,
  Output extends z.ZodType | undefined = undefined,
>(options: StepOptions<Input, Output>): StepHandler {
  return mark({ kind: 'step', use: options.name, name: options.name, ...bodyOf(options) });
}

/** Defines an agent: the handler of `agent` steps with `capability: <capability>`. */
export function defineAgent<
  Input extends z.ZodType | undefined = undefined,
  Output extends z.ZodType | undefined = undefined,
>(options: AgentOptions<Input, Output>): AgentHandler {
  const { capability, name = capability } = options;
  return mark({ kind: 'agent', use: agentUse(capability), name, capability, ...bodyOf(options) });
}

/** The `use` of agents with a capability. The colon keeps it apart from every legal step name. */
export function agentUse(capability: string): string {
  return `agent:${capability}`;
}

export function isHandler(value: unknown): value is Handler {
  return typeof value === 'object' && value !== null && HANDLER in value;
}

/** The schemas tie `run` to its types for the author; whoever calls `run` applies them before. */
function bodyOf<Input extends z.ZodType | undefined, Output extends z.ZodType | undefined>({
  input,
  output,
  run,
}: HandlerOptions<Input, Output>): Pick<Handler, 'input' | 'output' | 'run'> {
  return {
    ...(input === undefined ? {} : { input }),
    ...(output === undefined ? {} : { output }),
    run: run as Handler['run'],
  };
}

function mark<Marked extends Handler>(handler: Marked): Marked {
  Object.defineProperty(handler, HANDLER, { value: true });
  return Object.freeze(handler);
}
