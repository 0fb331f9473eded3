import { FleetBreakers } from '@flotilla/breakers';
import { Channels } from '@flotilla/channels';
import type { WorkflowDefinition } from '@flotilla/contracts';
import { compileWorkflow, type Plan } from '@flotilla/engine';
import { type OutgoingTask, TaskQueues } from '@flotilla/queue';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { breakerKeys, State, stateKey } from '@flotilla/state';
import { createLogger, type Logger } from '@flotilla/telemetry';
import { sharedRedis } from '@flotilla/testing';
import { BreakerView } from '../../decisions/breaker-view.ts';

/** Task queues that a test can hear, and have something happen in the moment when tasks are handed over. */
export class HeardQueues extends TaskQueues {
  readonly added: OutgoingTask[] = [];
  onAdd: ((tasks: readonly OutgoingTask[]) => Promise<void>) | undefined;

  override async add(queue: string, tasks: readonly OutgoingTask[]): Promise<void> {
    await this.onAdd?.(tasks);
    this.added.push(...tasks);
    await super.add(queue, tasks);
  }
}

/** What a scheduler's loops work on, with one partition unless more are asked for, and moves of a worker. */
export class LoopWorld {
  readonly state: State<Plan>;
  readonly queues: HeardQueues;
  readonly tag: string;
  readonly lines: Record<string, unknown>[] = [];
  readonly logger: Logger;
  readonly namespace: string;
  readonly #partitions: number;
  readonly #commands: RedisConnection;
  readonly #blocking: RedisConnection;

  constructor(namespace: string, partitions = 1) {
    const { url } = sharedRedis();
    this.namespace = namespace;
    this.#partitions = partitions;
    this.#commands = connectRedis(url, 'commands');
    this.#blocking = connectRedis(url, 'blocking');
    this.state = this.createState();
    this.tag = this.state.tags[0]!;
    const destination = { write: (line: string) => this.lines.push(JSON.parse(line) as Record<string, unknown>) };
    this.logger = createLogger({ name: 'loops-test', destination });
    this.queues = new HeardQueues({ client: this.client, namespace, onError: () => undefined });
  }

  get client() {
    return this.#commands.client;
  }

  /** What the loops know of the fleet's breakers. */
  createBreakerView(): BreakerView {
    return new BreakerView(this.state, new FleetBreakers(this.client, breakerKeys(this.namespace)));
  }

  createChannels(): Channels {
    const { namespace, state } = this;
    return new Channels(this.client, { namespace, tags: state.tags, tagOf: (channel) => state.tagOf(channel) });
  }

  get blocking() {
    return this.#blocking.client;
  }

  async open(): Promise<this> {
    await Promise.all([untilReady(this.#commands, 5000), untilReady(this.#blocking, 5000)]);
    return this;
  }

  async close(): Promise<void> {
    await this.queues.close();
    await Promise.all([closeConnection(this.#commands), closeConnection(this.#blocking)]);
  }

  /** Another process' view: it has no plan in its memory. */
  createState(): State<Plan> {
    return new State<Plan>({
      client: this.client,
      namespace: this.namespace,
      partitions: this.#partitions,
      compile: (text) => compile(JSON.parse(text)),
    });
  }

  async start(steps: WorkflowDefinition['steps'], rest: Partial<WorkflowDefinition> = {}, input: object = {}) {
    const plan = compile({ flotilla: 1, name: 'looped', steps, ...rest });
    const request = { plan, inputJson: JSON.stringify(input), bodyHash: 'body', tags: [], durability: 'fast' } as const;
    const { runId } = await this.state.createRun(request);
    return { runId, plan, key: (id: string) => String(plan.stepIndex.get(id)) };
  }

  async damage(plan: Plan): Promise<void> {
    await this.client.hset(stateKey(this.tag, 'definition', plan.hash), 'text', '{"flotilla":1,');
  }

  /** Members of the due index. */
  due(): Promise<string[]> {
    return this.client.zrange(stateKey(this.tag, 'due'), '0', '-1');
  }

  /** Makes an entry of the due index due now. */
  async makeDue(member: string): Promise<void> {
    await this.client.zadd(stateKey(this.tag, 'due'), 'XX', '1', member);
  }

  async claim(runId: string, plan: Plan, key: string, attemptId: string, worker = 'worker-1') {
    const { group, work } = plan.steps[Number(key)]!;
    const { needs, join } = plan.groups[group]!;
    const reply = await this.state.transitions.claim({
      tag: this.tag,
      runId,
      key,
      attemptId,
      worker,
      group,
      any: join === 'any',
      initial: needs,
      attemptMs: 60_000,
      wantsInput: false,
      hasQueuedTimer: work?.timeouts.queuedMs !== undefined,
      sources: [],
    });
    if ('refused' in reply) throw new Error(`the claim of ${key} was refused: ${reply.refused}`);
    return reply.claimed;
  }

  /** The attempt fails and is tried again `retryInMs` later; undefined: it has failed for good. */
  async failAttempt(
    runId: string,
    key: string,
    attemptId: string,
    fence: number,
    createdAt: number,
    retryInMs: number | undefined,
  ) {
    const errorJson = '{"type":"retryable","code":"STEP_FAILED","message":"no"}';
    return this.state.transitions.fail({
      tag: this.tag,
      runId,
      key,
      attempt: { fence, createdAt, attemptId },
      event: 'attempt-failed',
      errorJson,
      retryInMs,
      failFast: true,
      tolerated: false,
      endStep: true,
      hasTotalTimer: false,
      runErrorJson: errorJson,
      edges: [],
    });
  }
}

function compile(document: unknown): Plan {
  const compiled = compileWorkflow(document);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.plan;
}

/** For loops over runs that have no child runs. */
export const NO_CHILDREN = { start: async (): Promise<void> => undefined };

/** For loops over runs that use no channels. */
export const NO_CHANNELS = {} as Channels;
