/**
 * BullMQ as people use it without a workflow engine: the processor adds the next job. No checkpoint, no history, and a
 * crash between two commands loses or doubles steps.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { connectRedis } from '@flotilla/redis';
import { Queue, Worker } from 'bullmq';
import type { PlainJob } from '../targets/plain-target.ts';

const url = process.env['REDIS_URL']!;
const prefix = '{plain}';
const { client } = connectRedis(url, 'queue');
const counters = connectRedis(url, 'queue').client;
const queue = new Queue<PlainJob>('steps', {
  connection: client,
  prefix,
  defaultJobOptions: { removeOnComplete: true },
});

async function chainStep(job: PlainJob): Promise<void> {
  const isLast = job.i + 1 === job.size;
  const waitMs = isLast ? job.lastWaitMs : job.waitMs;
  if (waitMs > 0) await delay(waitMs);
  if (isLast) await counters.incr(`${prefix}:done`);
  else await queue.add('chain', { ...job, i: job.i + 1 });
}

const worker = new Worker<PlainJob>(
  'steps',
  async ({ data }) => {
    const left = `${prefix}:left:${data.run}`;
    if (data.kind === 'chain') {
      await chainStep(data);
    } else if (data.kind === 'first') {
      await counters.set(left, data.size);
      await queue.addBulk(
        Array.from({ length: data.size }, (_, i) => ({
          name: 'branch',
          data: { ...data, kind: 'branch' as const, i },
        })),
      );
    } else if (data.kind === 'branch') {
      if ((await counters.decr(left)) === 0) await queue.add('last', { ...data, kind: 'last' });
    } else {
      await counters.del(left);
      await counters.incr(`${prefix}:done`);
    }
    return { i: data.i };
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
