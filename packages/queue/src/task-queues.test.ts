import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { eventually, sharedRedis, testNamespace, within } from '@flotilla/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Worker } from 'bullmq';
import { capabilityQueue, queuePrefix } from './queue-names.ts';
import { type Task, taskId } from './task.ts';
import { TaskConsumer, type TaskConsumerOptions } from './task-consumer.ts';
import { TaskQueueViews } from './task-queue-views.ts';
import { TaskQueues } from './task-queues.ts';

const QUEUE = 'default';

let connection: RedisConnection;
let namespace: string;
let queues: TaskQueues;
const consumers: TaskConsumer[] = [];
const errors: Error[] = [];
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'queue');
  await untilReady(connection, 60_000);
});
beforeEach(() => {
  namespace = testNamespace(import.meta.url);
  queues = new TaskQueues({ client: connection.client, namespace, onError: (error) => errors.push(error) });
});
afterEach(async () => {
  for (const consumer of consumers.splice(0)) {
    await consumer.stopTaking();
    await consumer.close();
  }
  await queues.close();
  expect(errors.splice(0)).toEqual([]);
});
afterAll(() => closeConnection(connection));

const taskOf = (key: string): Task => ({ v: 1, i: [['00-run', 'hash', key]] });
const AT = 1_700_000_000_000;
const outgoing = (key: string) => ({
  id: taskId('origin', key),
  name: `flow/step-${key}`,
  at: AT + Number(key),
  task: taskOf(key),
});

function consume(options: Partial<TaskConsumerOptions>): TaskConsumer {
  const consumer = new TaskConsumer({
    client: connection.client,
    namespace,
    queue: QUEUE,
    whenRoom: () => Promise.resolve(),
    free: () => 1,
    handle: () => Promise.resolve(),
    onTurn: () => undefined,
    onError: (error) => errors.push(error),
    describe: () => [],
    onStuck: () => errors.push(new Error('stuck')),
    ...options,
  });
  consumers.push(consumer);
  consumer.start();
  return consumer;
}

describe('task ids', () => {
  test('repeat for the same origin, differ for another, and are never what users wrote', () => {
    expect(taskId('1-0', 'run', '3')).toBe(taskId('1-0', 'run', '3'));
    expect(new Set([taskId('a', 'b'), taskId('ab', ''), taskId('a', 'b', ''), taskId('b', 'a')]).size).toBe(4);
    for (const text of ['active', 'wait', 'meta', 'a:b', '*']) expect(taskId(text)).toMatch(/^t-[0-9a-f]{32}$/);
  });
});

describe('queue names', () => {
  test('give every queue a slot of its own, and refuse what is no id', () => {
    expect(queuePrefix('fl', capabilityQueue('research'))).toBe('{fl:q:cap.research}');
    for (const name of ['', 'a:b', '{x}', '__proto__', '../x']) {
      expect(() => queuePrefix('fl', name)).toThrow(expect.objectContaining({ code: 'VALIDATION_FAILED' }));
    }
  });
});

describe('tasks', () => {
  test('come to a consumer in the order in which they were added', async () => {
    const keys = Array.from({ length: 20 }, (_, index) => String(index));
    await queues.add(QUEUE, keys.map(outgoing));
    expect(await queues.waitingCount(QUEUE)).toBe(20);
    const seen: string[] = [];
    consume({ handle: async ({ i }) => void seen.push(i[0]![2]) });
    await eventually(() => seen.length === 20);
    expect(seen).toEqual(keys);
    await eventually(async () => (await queues.waitingCount(QUEUE)) === 0);
  });

  test('added again by a relay that repeats itself are there once', async () => {
    await queues.add(QUEUE, [outgoing('1'), outgoing('2')]);
    await queues.add(QUEUE, [outgoing('1'), outgoing('2'), outgoing('3')]);
    expect(await queues.waitingCount(QUEUE)).toBe(3);
  });

  test('are named by what they carry, and found by dashboards with how they ended', async () => {
    const views = new TaskQueueViews({ client: connection.client, namespace, onError: (error) => errors.push(error) });
    await queues.add(QUEUE, ['1', '2', '3'].map(outgoing));
    await eventually(async () => (await views.names()).length > 0);
    expect(await views.summaries()).toMatchObject([{ name: QUEUE, waiting: 3, oldestWaitingAt: AT + 1 }]);
    consume({
      handle: async ({ i }) =>
        i[0]![2] === '2'
          ? { succeeded: 1, failed: 2, codes: ['CARD_REFUSED'] }
          : { succeeded: 1, failed: 0, codes: [] },
    });
    await eventually(async () => (await views.summaries())[0]!.completed === 2);
    expect(await views.summaries()).toMatchObject([{ waiting: 0, active: 0, completed: 2, failed: 1 }]);
    const [failed] = await views.queue(QUEUE).getJobs(['failed']);
    expect(failed).toMatchObject({ name: 'flow/step-2', failedReason: '2 of 3 attempts failed: CARD_REFUSED' });
    await views.close();
  });

  test("tell since when the oldest waits, by Redis' clock", async () => {
    expect(await queues.oldestWaitingAt(QUEUE)).toBeUndefined();
    await queues.add(QUEUE, [outgoing('1')]);
    await queues.add(QUEUE, [outgoing('2')]);
    expect(await queues.oldestWaitingAt(QUEUE)).toBe(AT + 1);
  });

  test('are shared by consumers, each given to one', async () => {
    const seen: string[] = [];
    const handle = async ({ i }: Task) => void seen.push(i[0]![2]);
    consume({ handle });
    consume({ handle });
    const keys = Array.from({ length: 60 }, (_, index) => String(index));
    await queues.add(QUEUE, keys.map(outgoing));
    await eventually(() => seen.length >= 60);
    expect([...seen].sort()).toEqual([...keys].sort());
  });
});

describe('a consumer', () => {
  test('takes a task only when a slot is free', async () => {
    let free = 2;
    let freed = Promise.withResolvers<void>();
    const ends: (() => void)[] = [];
    const handle = (): Promise<void> => {
      free -= 1;
      return new Promise((resolve) => {
        ends.push(() => {
          free += 1;
          freed.resolve();
          freed = Promise.withResolvers<void>();
          resolve();
        });
      });
    };
    consume({ handle, whenRoom: () => (free > 0 ? Promise.resolve() : freed.promise), free: () => free });
    await queues.add(QUEUE, ['1', '2', '3', '4'].map(outgoing));
    await eventually(() => ends.length === 2);
    // A look at the queue takes no longer than taking a task would: had it gone on, there would be three by now.
    for (let look = 0; look < 5; look += 1) expect(await queues.waitingCount(QUEUE)).toBe(2);
    ends[0]!();
    await eventually(() => ends.length === 3);
    expect(await queues.waitingCount(QUEUE)).toBe(1);
    ends[1]!();
    await eventually(() => ends.length === 4);
    for (const end of ends) end();
  });

  test('asks for room for as many steps as the last task had, also when no other waited beside that', async () => {
    const asked: number[] = [];
    const whenRoom = (steps: number) => {
      asked.push(steps);
      return Promise.resolve();
    };
    const task: Task = { v: 1, i: ['1', '2', '3'].map((key) => ['00-run', 'hash', key] as const) };
    await queues.add(QUEUE, [{ ...outgoing('1'), task }]);
    consume({ whenRoom, free: () => 8 });
    await eventually(() => asked.length >= 2);
    expect(asked.slice(0, 2)).toEqual([1, 3]);
  });

  test('takes many tasks side by side when slots are free, each once and never more than there are slots', async () => {
    let free = 30;
    const end = Promise.withResolvers<void>();
    const seen: string[] = [];
    const handle = ({ i }: Task): Promise<void> => {
      free -= i.length;
      seen.push(i[0]![2]);
      expect(free).toBeGreaterThanOrEqual(0);
      return end.promise;
    };
    const never = new Promise<void>(() => undefined);
    await queues.add(
      QUEUE,
      Array.from({ length: 100 }, (_, index) => outgoing(String(index))),
    );
    let turns = 0;
    const whenRoom = () => (free > 0 ? Promise.resolve() : never);
    const consumer = consume({ handle, whenRoom, free: () => free, onTurn: () => (turns += 1) });
    await eventually(() => free === 0);
    // Eight at a time and not one by one: fewer turns of the loop than tasks.
    expect(turns).toBeLessThan(15);
    expect(new Set(seen).size).toBe(30);
    expect(await queues.waitingCount(QUEUE)).toBe(70);
    await consumer.stopTaking();
    end.resolve();
  });

  test('gives a heartbeat at each turn, with nothing to do and with all slots taken', async () => {
    let turns = 0;
    consume({ onTurn: () => (turns += 1) });
    await eventually(() => turns >= 2);
    let busyTurns = 0;
    consume({ onTurn: () => (busyTurns += 1), whenRoom: () => new Promise(() => undefined) });
    await eventually(() => busyTurns >= 2);
  });

  describe('whose call for a task never returns', () => {
    /** As when it was lost with its connection. */
    const loseNextCall = () =>
      jest.spyOn(Worker.prototype, 'getNextJob').mockImplementationOnce(() => new Promise(() => undefined));
    afterEach(() => {
      jest.restoreAllMocks();
    });

    test('connects anew and goes on', async () => {
      const lost = loseNextCall();
      const seen: string[] = [];
      const handle = ({ i }: Task) => {
        seen.push(i[0]![2]);
        return Promise.resolve();
      };
      consume({ handle, stuckMs: 2500 });
      await eventually(() => lost.mock.calls.length === 1);
      await queues.add(QUEUE, [outgoing('1')]);
      await eventually(() => seen.length === 1, { timeoutMs: 15_000, message: 'the task to be taken' });
      expect(errors.splice(0).map(({ message }) => message)).toEqual([
        expect.stringMatching(/ for 2500 ms: connecting anew$/),
      ]);
    }, 20_000);

    test('stops taking all the same', async () => {
      const lost = loseNextCall();
      const consumer = consume({});
      await eventually(() => lost.mock.calls.length === 1);
      await within(consumer.stopTaking(), 10_000, 'the consumer to stop');
    }, 15_000);
  });

  test('stops taking within a moment, and closes when what it holds has ended', async () => {
    const started = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    const consumer = consume({
      handle: () => {
        started.resolve();
        return end.promise;
      },
    });
    await queues.add(QUEUE, [outgoing('1')]);
    await started.promise;
    await within(consumer.stopTaking(), 3000, 'the loop to come to rest');
    await queues.add(QUEUE, [outgoing('2')]);
    let closed = false;
    const closing = consumer.close().then(() => {
      closed = true;
    });
    expect(await queues.waitingCount(QUEUE)).toBe(1);
    expect(closed).toBe(false);
    end.resolve();
    await within(closing, 3000, 'the consumer to close');
    expect(await queues.waitingCount(QUEUE)).toBe(1);
  });

  test('reports a task that cannot be handled and goes on with the next', async () => {
    const seen: string[] = [];
    consume({
      handle: async ({ i }) => {
        const key = i[0]![2];
        if (key === '1') throw new Error('what nobody expected');
        seen.push(key);
      },
    });
    await queues.add(QUEUE, [outgoing('1'), outgoing('2')]);
    await eventually(() => seen.length === 1);
    await eventually(() => errors.length === 1);
    expect(errors.splice(0)).toMatchObject([{ message: 'what nobody expected' }]);
  });
});
