/**
 * BullMQ as people use it without a workflow engine: the processor adds the next job. No checkpoint, no history, and a
 * crash between two commands loses or doubles steps.
 */
import { connectRedis } from '@flotilla/redis';
import { Queue, Worker } from 'bullmq';
import { CHAIN_LENGTH, FAN_WIDTH } from './workloads.ts';

interface PlainJob {
  kind: 'chain' | 'first' | 'branch' | 'last';
  run: string;
  i: number;
}

const url = process.env['REDIS_URL']!;
const prefix = '{plain}';
const { client } = connectRedis(url, 'queue');
const counters = connectRedis(url, 'queue').client;
const queue = new Queue<PlainJob>('steps', {
  connection: client,
  prefix,
  defaultJobOptions: { removeOnComplete: true },
});

const worker = new Worker<PlainJob>(
  'steps',
  async ({ data }) => {
    const { kind, run, i } = data;
    if (kind === 'chain') {
      if (i + 1 < CHAIN_LENGTH) await queue.add('chain', { kind, run, i: i + 1 });
      else await counters.incr('{plain}:done');
    } else if (kind === 'first') {
      await counters.set(`{plain}:left:${run}`, FAN_WIDTH);
      await queue.addBulk(
        Array.from({ length: FAN_WIDTH }, (_, index) => ({
          name: 'branch',
          data: { kind: 'branch', run, i: index } as const,
        })),
      );
    } else if (kind === 'branch') {
      if ((await counters.decr(`{plain}:left:${run}`)) === 0) await queue.add('last', { kind: 'last', run, i: 0 });
    } else {
      await counters.del(`{plain}:left:${run}`);
      await counters.incr('{plain}:done');
    }
    return { i };
  },
  {
    connection: connectRedis(url, 'queue').client,
    prefix,
    concurrency: Number(process.env['BENCH_CONCURRENCY'] ?? 64),
  },
);
worker.on('error', (error) => process.stderr.write(`plain worker: ${error.message}\n`));
await worker.waitUntilReady();
process.stdout.write('ready\n');
