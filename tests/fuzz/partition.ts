import { createHash } from 'node:crypto';
import type { Plan } from '@flotilla/engine';
import type { RedisClient } from '@flotilla/redis';
import { partitionTag, State, stateKey } from '@flotilla/state';
import { compileRandom } from '../model/random-workflow.ts';
import { removeKeys } from '../scan-keys.ts';

/** Two steps one after the other, a map and a delay: each transition has something to be asked of. */
export const plan: Plan = compileRandom({
  flotilla: 1,
  name: 'fuzz',
  failFast: false,
  steps: {
    first: { kind: 'task', use: 'work' },
    second: { kind: 'task', use: 'work', needs: ['first'] },
    items: { kind: 'map', over: '[1, 2]', each: { kind: 'task', use: 'work' } },
    later: { kind: 'delay', forMs: 3_600_000 },
  },
});

export function keyOf(id: 'first' | 'second' | 'items' | 'later'): string {
  return String(plan.stepIndex.get(id)!);
}

const SETS = ['due', 'lease', 'workers', 'cancels', 'runs', 'ended', 'dead'] as const;

/** State of one partition, with a look at everything that is stored in it. */
export class Partition {
  readonly client: RedisClient;
  readonly state: State<Plan>;
  readonly tag: string;
  readonly #namespace: string;

  constructor(client: RedisClient, namespace: string) {
    this.client = client;
    this.#namespace = namespace;
    this.tag = partitionTag(namespace, 0);
    this.state = new State({ client, namespace, partitions: 1, compile: () => plan });
    this.state.rememberPlan(plan);
  }

  runKey(runId: string): string {
    return stateKey(this.tag, 'run', runId);
  }

  historyKey(runId: string): string {
    return stateKey(this.tag, 'history', runId);
  }

  async createRun(runId: string): Promise<void> {
    const bodyHash = createHash('sha256').update(runId).digest('hex');
    await this.state.createRun({ plan, inputJson: '{"n":1}', runId, bodyHash, tags: ['fuzz'], durability: 'fast' });
  }

  /** Removes everything of the partition. */
  async clear(): Promise<void> {
    await removeKeys(this.client, `{${this.#namespace}:`);
  }

  /** All that is stored of a run, as text: its own keys as they are, its entries in what runs share. */
  async dumpOf(runId: string): Promise<string[]> {
    const { client, tag } = this;
    const own = [
      this.runKey(runId),
      this.historyKey(runId),
      stateKey(tag, 'paused', runId),
      stateKey(tag, 'deadLetters', runId),
    ];
    const dumps = await Promise.all(own.map(async (key) => `${key} ${await this.#read(key)}`));
    const sets = await Promise.all(
      SETS.map(async (suffix) => {
        const entries = await client.zrange(stateKey(tag, suffix), '0', '-1');
        return entries.filter((entry) => entry.includes(runId)).map((entry) => `${suffix} ${entry}`);
      }),
    );
    const lines = (await this.outbox()).filter((line) => line.includes(runId)).map((line) => `out ${line}`);
    return [...dumps, ...sets.flat().sort(), ...lines.sort()];
  }

  async outbox(): Promise<string[]> {
    const entries = await this.client.xrange(stateKey(this.tag, 'outbox'), '-', '+');
    return entries.flatMap(([, fields]) => fields[1]!.split('\n'));
  }

  entriesOf(suffix: (typeof SETS)[number]): Promise<string[]> {
    return this.client.zrange(stateKey(this.tag, suffix), '0', '-1');
  }

  /** What is wrong with a run that nobody has damaged: its counters, headers and the entries in what runs share must agree. */
  async problemsOf(runId: string): Promise<string[]> {
    const { client } = this;
    const [fields, lease, due, outbox] = await Promise.all([
      client.hgetall(this.runKey(runId)),
      this.entriesOf('lease'),
      this.entriesOf('due'),
      this.outbox(),
    ]);
    const problems: string[] = [];
    const expectThat = (holds: boolean, what: string) => {
      if (!holds) problems.push(`${runId}: ${what}`);
    };
    const [, , live] = (fields['m'] ?? '').split('|');
    const headers = Object.entries(fields).filter(([field]) => /^s\d+(?:\.\d+)?$/.test(field));
    const running = headers.filter(([, header]) => header.startsWith('R|'));
    expectThat(Number(live) === running.length, `${live} live attempts are counted, ${running.length} headers run`);
    const heads = running.map(([, header]) => `${runId}|${header.split('|')[8]}`);
    const leases = lease.filter((entry) => entry.startsWith(`${runId}|`));
    expectThat(
      heads.every((head) => leases.includes(head)),
      `running ${heads} and in flight ${leases}`,
    );
    for (const [field, header] of headers) {
      const key = field.slice(1);
      const timer = { B: 'b', D: 'd', P: 'p', Y: 'q' }[header[0]!];
      const handedOut = outbox.some((line) => line.startsWith(`S|${runId}|`) && line.endsWith(`|${key}`));
      const isAwaited = timer === undefined || handedOut || due.includes(`${timer}|${key}|${runId}`);
      expectThat(isAwaited, `nobody will look after step ${key}: ${header}`);
    }
    return problems;
  }

  async #read(key: string): Promise<string> {
    const { client } = this;
    switch (await client.type(key)) {
      case 'hash':
        return JSON.stringify(Object.entries(await client.hgetall(key)).sort(([one], [two]) => (one < two ? -1 : 1)));
      case 'list':
        return JSON.stringify(await client.lrange(key, 0, -1));
      case 'zset':
        return JSON.stringify(await client.zrange(key, '0', '-1'));
      case 'set':
        return JSON.stringify((await client.smembers(key)).sort());
      case 'string':
        return JSON.stringify(await client.get(key));
      default:
        return 'none';
    }
  }
}
