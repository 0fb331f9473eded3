import type { HistoryFrame, RunsFrame, WorkflowDefinition } from '@flotilla/contracts';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url) });
}, 60_000);
afterAll(async () => {
  await fleet.stop();
});

interface Frame {
  id: string;
  event: string;
  data: unknown;
}

/** Reads a stream into a list that grows. */
async function open(query: string, lastEventId?: string) {
  const over = new AbortController();
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
  const answer = await fetch(`${fleet.url}/v1/events?${query}`, { headers, signal: over.signal });
  const frames: Frame[] = [];
  const read = async () => {
    let text = '';
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString();
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const fields = new Map(
          text
            .slice(0, end)
            .split('\n')
            .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
        );
        text = text.slice(end + 2);
        if (fields.has('event'))
          frames.push({
            id: fields.get('id') ?? '',
            event: fields.get('event') ?? '',
            data: JSON.parse(fields.get('data') ?? ''),
          });
      }
    }
  };
  const reading = read().catch(() => undefined);
  return {
    status: answer.status,
    frames,
    close: async () => {
      over.abort();
      await reading;
    },
  };
}

type Stream = Awaited<ReturnType<typeof open>>;

const definition = {
  flotilla: 1,
  name: 'fed',
  steps: { a: { kind: 'task', use: 'flotilla.echo' }, b: { kind: 'task', use: 'flotilla.echo', needs: ['a'] } },
} as unknown as WorkflowDefinition;

const changesOf = ({ frames }: Stream, runId: string) =>
  frames
    .filter(({ event }) => event === 'runs')
    .flatMap(({ data }) => (data as RunsFrame).changes)
    .filter((change) => change.runId === runId);
const seqsOf = (streams: readonly Stream[], runId: string) =>
  streams
    .flatMap(({ frames }) => frames)
    .filter(({ event }) => event === 'history')
    .map(({ data }) => data as HistoryFrame)
    .filter((frame) => frame.runId === runId)
    .flatMap(({ events }) => events.map(({ seq }) => seq));
const until = (condition: () => unknown, message: string) =>
  eventually(async () => condition(), { timeoutMs: 10_000, message });

describe('GET /v1/events', () => {
  test('tells of a run that starts and ends, of the counts, and of the verdict', async () => {
    const stream = await open('topics=runs,counts,report');
    await until(() => stream.frames.some(({ event }) => event === 'report'), 'a report');
    const { runId } = await fleet.api.start({ definition, tags: ['red'] });
    await until(() => changesOf(stream, runId).at(-1)?.status === 'succeeded', 'the end of the run');
    expect(changesOf(stream, runId).at(-1)).toMatchObject({
      workflow: 'fed',
      tags: ['red'],
      endedAt: expect.any(Number),
    });
    await until(
      () => stream.frames.some(({ event, data }) => event === 'counts' && JSON.stringify(data).includes('succeeded')),
      'counts with the run',
    );
    await stream.close();
  });

  test('goes on behind the last frame: nothing that happened meanwhile is missing', async () => {
    const first = await open('topics=counts');
    await until(() => first.frames.length > 0, 'a frame');
    const lastId = first.frames.at(-1)?.id ?? '';
    await first.close();
    const { runId } = await fleet.api.start({ definition });
    await fleet.api.waitForEnd([runId]);
    const second = await open('topics=runs', lastId);
    await until(() => changesOf(second, runId).length > 0, 'the run that ended while nobody listened');
    expect(changesOf(second, runId).at(-1)?.status).toBe('succeeded');
    await second.close();
  });

  test('follows the history of a run without a gap over two streams, and says when it has ended', async () => {
    const slow = { ...definition, steps: { a: { kind: 'task', use: 'flotilla.sleep', input: { ms: 1500 } } } };
    const { runId } = await fleet.api.start({ definition: slow });
    const first = await open(`topics=runs&follow=${runId}`);
    await until(() => seqsOf([first], runId).length > 0, 'events of the run');
    const lastId = first.frames.at(-1)?.id ?? '';
    await first.close();
    const taken = { ...first, frames: first.frames.filter(({ id }) => id <= lastId) };
    const second = await open(`topics=runs&follow=${runId}`, lastId);
    const hasEnded = () => second.frames.some(({ event, data }) => event === 'history' && (data as HistoryFrame).ended);
    await until(hasEnded, 'the end of the history');
    const { events } = await fleet.api.record(runId);
    expect(seqsOf([taken, second], runId)).toEqual(events.map(({ seq }) => seq));
    await second.close();
  });

  test('says that the lists must be read again after an absence that is too long', async () => {
    const stream = await open('topics=runs', '1000');
    await until(() => stream.frames.length > 0, 'a frame');
    expect(stream.frames[0]?.data).toEqual({ changes: [], overflow: true });
    await stream.close();
  });

  test.each([
    ['topics=runs,nothing'],
    ['follow=a%7Cb'],
    [`follow=${Array.from({ length: 21 }, (_, n) => `r${n}`).join(',')}`],
  ])('refuses %s', async (query) => {
    const stream = await open(query);
    expect(stream.status).toBe(400);
    await stream.close();
  });
});
