import { Channels } from '@flotilla/channels';
import type { Json, WorkflowDefinition } from '@flotilla/contracts';
import { compileWorkflow, type Plan } from '@flotilla/engine';
import type { TaskStep } from '@flotilla/queue';
import { closeConnection, connectRedis, untilReady } from '@flotilla/redis';
import { State } from '@flotilla/state';
import { defineStep, type Handler, type StepContext } from '@flotilla/steps';
import { createLogger } from '@flotilla/telemetry';
import { sharedRedis } from '@flotilla/testing';
import { Executor } from '../executor.ts';
import type { ExecutorOptions } from '../executor-options.ts';

export type Run = (input: Json, context: StepContext) => Json | Promise<Json>;

/** A step that `Run` makes, with one attempt. */
export const work = { kind: 'task', use: 'work', retry: { maxAttempts: 1 } } as const;

/** One partition of the shared Redis, and executors on it. Close it after the tests. */
export async function createExecutorWorld(namespace: string) {
  const connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 5000);
  const state = new State<Plan>({
    client: connection.client,
    namespace,
    partitions: 1,
    compile: (text) => compile(JSON.parse(text)),
  });

  const placement = { namespace, tags: state.tags, tagOf: (channel: string) => state.tagOf(channel) };

  return {
    state,
    channels: new Channels(connection.client, placement),
    close: () => closeConnection(connection),
    createExecutor(run: Run, options: Partial<ExecutorOptions> = {}): Executor {
      const handler = defineStep({ name: 'work', run }) as Handler;
      const abilities = { handlers: new Map([[handler.use, handler]]), queues: new Set(['default']) };
      const logger = createLogger({ name: 'executor-test', level: 'silent' });
      return new Executor({ state, workerId: 'worker-1', abilities, slots: 4, logger, random: () => 0.5, ...options });
    },
    /** Starts a run of these steps; gives it and the tasks' names of its steps. */
    async start(
      steps: WorkflowDefinition['steps'],
      more: Partial<WorkflowDefinition> = {},
    ): Promise<{ runId: string; step: (id: string) => TaskStep }> {
      const plan = compile({ flotilla: 1, name: 'executed', steps, ...more });
      const submission = { plan, inputJson: '{}', bodyHash: 'body', tags: [], durability: 'fast' } as const;
      const { runId } = await state.createRun({ ...submission, tags: [] });
      return { runId, step: (id) => [runId, plan.hash, String(plan.stepIndex.get(id))] };
    },
    async eventsOf(runId: string): Promise<string[]> {
      const { events } = await state.readHistory(runId, { after: -1, limit: 1000 });
      return events.map(({ type }) => type);
    },
  };
}

export type ExecutorWorld = Awaited<ReturnType<typeof createExecutorWorld>>;

function compile(document: unknown): Plan {
  const compiled = compileWorkflow(document);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.plan;
}
