import type { ApprovalList, ApprovalView, RunView, SignalSent, StepList } from '@flotilla/contracts';
import { eventually, type Fleet, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url), workers: 1 });
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  expect(ends).toEqual([]);
});

const define = (steps: object, more: object = {}) => ({ flotilla: 1, name: 'waits', steps, ...more });

async function start(definition: object, input: object = {}): Promise<string> {
  return (await fleet.api.start({ definition, input })).runId;
}

async function end(runId: string): Promise<RunView> {
  await fleet.api.waitForEnd([runId]);
  return fleet.api.run(runId);
}

async function waitOf(runId: string, stepId: string) {
  return eventually(async () => {
    const { steps } = await fleet.api.get<StepList>(`/v1/runs/${runId}/steps`);
    const wait = steps.find((step) => step.stepId === stepId)?.wait;
    expect(wait).toBeDefined();
    return wait ?? fail();
  });
}

function fail(): never {
  throw new Error('unreachable');
}

/** The body of an answer, or of the problem that it is. */
async function post<Body>(path: string, body?: unknown, idempotencyKey?: string): Promise<Body & { code?: string }> {
  const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
  const answer = await fleet.api.request<Body>('POST', path, body, { headers });
  return answer.body as Body & { code?: string };
}

const signal = (runId: string, name: string, body: unknown, idempotencyKey?: string) =>
  post<SignalSent>(`/v1/runs/${runId}/signals/${name}`, body, idempotencyKey);

describe('a signal', () => {
  const WAITS = define(
    {
      go: { kind: 'signal', name: 'go' },
      after: { kind: 'task', use: 'flotilla.echo', needs: ['go'], input: '${{ steps.go.output }}' },
    },
    { output: '${{ steps.after.output }}' },
  );

  test('is the output of the step that waits for it, and holds no slot', async () => {
    const runId = await start(WAITS);
    expect(await waitOf(runId, 'go')).toEqual({ kind: 'signal', subject: 'go' });
    const { agents } = await fleet.api.get<{ agents: { load: { running: number } }[] }>('/v1/agents');
    expect(agents.map(({ load }) => load.running)).toEqual([0]);
    expect(await signal(runId, 'go', { amount: 3 })).toMatchObject({ seq: 0, deliveredTo: 'go', deduplicated: false });
    expect(await end(runId)).toMatchObject({ status: 'succeeded', output: { amount: 3 } });
  });

  test('that comes before its step is kept, each is taken by one step in order of arrival', async () => {
    const steps = {
      later: { kind: 'delay', forMs: 1500 },
      first: { kind: 'signal', name: 'n', needs: ['later'] },
      second: { kind: 'signal', name: 'n', needs: ['first'] },
    };
    const runId = await start(define(steps, { output: ['${{ steps.first.output }}', '${{ steps.second.output }}'] }));
    await signal(runId, 'n', 1);
    await signal(runId, 'n', 2);
    await signal(runId, 'other', 3);
    expect(await end(runId)).toMatchObject({ status: 'succeeded', output: [1, 2] });
    const unused = (await fleet.api.history(runId)).find(({ type }) => type === 'signals-unused');
    expect(unused?.data).toEqual({ signals: { other: 1 } });
  });

  test('with an idempotency key is sent once', async () => {
    const runId = await start(WAITS);
    await waitOf(runId, 'go');
    const first = await signal(runId, 'go', { n: 1 }, 'k');
    const second = await signal(runId, 'go', { n: 2 }, 'k');
    expect([first.deduplicated, second]).toMatchObject([false, { deduplicated: true, seq: first.seq }]);
    expect(await end(runId)).toMatchObject({ output: { n: 1 } });
  });

  test('that does not come in time is replaced by the default, else fails the step', async () => {
    const withDefault = await start(
      define(
        { go: { kind: 'signal', name: 'go', timeoutMs: 50, default: 'none' } },
        { output: '${{ steps.go.output }}' },
      ),
    );
    expect(await end(withDefault)).toMatchObject({ status: 'succeeded', output: 'none' });
    const without = await start(define({ go: { kind: 'signal', name: 'go', timeoutMs: 50 } }));
    expect(await end(without)).toMatchObject({ status: 'failed', error: { code: 'WAIT_TIMEOUT', stepId: 'go' } });
  });

  test('to a run that has ended, or is not there, is refused', async () => {
    const runId = await start(define({ now: { kind: 'delay', forMs: 0 } }));
    await end(runId);
    expect(await signal(runId, 'go', 1)).toMatchObject({ code: 'RUN_NOT_ACTIVE' });
    expect(await signal('00-nobody', 'go', 1)).toMatchObject({ code: 'RUN_NOT_FOUND' });
  });

  test('ends nothing twice when the run is cancelled while a step waits', async () => {
    const runId = await start(WAITS);
    await waitOf(runId, 'go');
    await post(`/v1/runs/${runId}/cancel`);
    expect(await end(runId)).toMatchObject({ status: 'cancelled' });
    expect(await signal(runId, 'go', 1)).toMatchObject({ code: 'RUN_NOT_ACTIVE' });
  });
});

describe('an approval', () => {
  const publish = (input: unknown) =>
    define(
      {
        ask: { kind: 'approval', action: { text: '${{ run.input.text }}' }, approvers: ['ada'] },
        publish: { kind: 'task', use: 'flotilla.echo', needs: ['ask'], approvedBy: 'ask', input },
      },
      { output: '${{ steps.publish.output }}' },
    );
  const decide = (id: string, body: object) => post<ApprovalView>(`/v1/approvals/${id}`, body);

  async function pending(runId: string): Promise<ApprovalView> {
    await waitOf(runId, 'ask');
    const { approvals } = await fleet.api.get<ApprovalList>('/v1/approvals');
    return approvals.find((approval) => approval.runId === runId) ?? fail();
  }

  test('is listed until it is decided, and lets exactly what was approved pass', async () => {
    const runId = await start(publish({ text: '${{ run.input.text }}' }), { text: 'hello' });
    const approval = await pending(runId);
    expect(approval).toMatchObject({
      id: `${runId}.ask`,
      status: 'pending',
      action: { text: 'hello' },
      approvers: ['ada'],
    });
    expect(await decide(approval.id, { decision: 'approve' })).toMatchObject({ code: 'APPROVER_NOT_ALLOWED' });
    expect(await decide(approval.id, { decision: 'approve', by: 'ada', digest: '0'.repeat(64) })).toMatchObject({
      code: 'APPROVAL_STALE',
    });
    const decided = await decide(approval.id, {
      decision: 'approve',
      by: 'ada',
      reason: 'fine',
      digest: approval.digest,
    });
    expect(decided).toMatchObject({ status: 'decided', decision: 'approve', by: 'ada', reason: 'fine' });
    expect(await end(runId)).toMatchObject({ status: 'succeeded', output: { text: 'hello' } });
    expect(await decide(approval.id, { decision: 'approve', by: 'ada' })).toMatchObject({ decision: 'approve' });
    expect(await decide(approval.id, { decision: 'reject', by: 'ada' })).toMatchObject({ code: 'APPROVAL_DECIDED' });
    const list = await fleet.api.get<ApprovalList>('/v1/approvals?status=decided');
    expect(list.approvals).toContainEqual(expect.objectContaining({ id: approval.id, decision: 'approve' }));
  });

  test('of something else stops the step as stale, and a rejection as rejected', async () => {
    const stale = await start(publish({ text: '${{ run.input.text + "!" }}' }), { text: 'hello' });
    await decide((await pending(stale)).id, { decision: 'approve', by: 'ada' });
    expect(await end(stale)).toMatchObject({ status: 'failed', error: { code: 'APPROVAL_STALE' } });
    const rejected = await start(publish({ text: '${{ run.input.text }}' }), { text: 'hello' });
    await decide((await pending(rejected)).id, { decision: 'reject', by: 'ada' });
    expect(await end(rejected)).toMatchObject({ status: 'failed', error: { code: 'APPROVAL_REJECTED' } });
  });

  test('is decided by its default at the deadline', async () => {
    const steps = { ask: { kind: 'approval', action: 1, deadlineMs: 50, default: 'reject' } };
    const runId = await start(define(steps, { output: '${{ steps.ask.output.decision }}' }));
    expect(await end(runId)).toMatchObject({ status: 'succeeded', output: 'reject' });
  });
});

test('a webhook is answered once by whoever has its path, and by nobody else', async () => {
  const runId = await start(define({ hook: { kind: 'webhook' } }, { output: '${{ steps.hook.output }}' }));
  const { subject } = await waitOf(runId, 'hook');
  expect(await post(`/v1/webhooks/${runId}/hook/${'a'.repeat(32)}`, {})).toMatchObject({
    code: 'WEBHOOK_NOT_FOUND',
  });
  expect(await post(subject, { paid: true })).toEqual({ accepted: true, alreadyAnswered: false });
  expect(await end(runId)).toMatchObject({ status: 'succeeded', output: { paid: true } });
});

describe('a child run', () => {
  const child = (steps: object, output: unknown) => ({ flotilla: 1, name: 'child', steps, output });
  const ECHO = child(
    { echo: { kind: 'task', use: 'flotilla.echo', input: '${{ run.input }}' } },
    '${{ steps.echo.output }}',
  );
  const parent = (more: object) =>
    define({ call: { kind: 'workflow', ...more } }, { output: '${{ steps.call.output }}' });

  test('of an inline definition gives its output to the step that waits for it', async () => {
    const runId = await start(parent({ definition: ECHO, input: { n: '${{ run.input.n }}' } }), { n: 7 });
    expect(await end(runId)).toMatchObject({ status: 'succeeded', output: { n: 7 } });
  });

  test('of a registered workflow is started by name and version', async () => {
    await post('/v1/workflows', { definition: { ...ECHO, name: 'registered-child', version: '1.2.0' } });
    for (const workflow of ['registered-child', 'registered-child@1.2.0']) {
      const runId = await start(parent({ workflow, input: { x: 1 } }));
      expect(await end(runId)).toMatchObject({ status: 'succeeded', output: { x: 1 } });
    }
    const runId = await start(parent({ workflow: 'nobody' }));
    expect(await end(runId)).toMatchObject({ status: 'failed', error: { code: 'WORKFLOW_NOT_FOUND' } });
  });

  test('that fails fails the step with its reason', async () => {
    const failing = child({ f: { kind: 'task', use: 'flotilla.fail', input: { times: 9, code: 'NO_STOCK' } } }, 1);
    const runId = await start(parent({ definition: failing }));
    const run = await end(runId);
    expect(run).toMatchObject({ status: 'failed', error: { code: 'CHILD_RUN_FAILED' } });
    expect(run.error?.message).toContain('NO_STOCK');
  });

  test('is cancelled with its parent, unless it is to be left', async () => {
    const waiting = child({ s: { kind: 'signal', name: 'go' } }, '${{ steps.s.output }}');
    const children: Record<string, string> = {};
    for (const onParentEnd of ['cancel', 'leave']) {
      const runId = await start(parent({ definition: waiting, onParentEnd }));
      const { subject: childId } = await waitOf(runId, 'call');
      await waitOf(childId, 's');
      await post(`/v1/runs/${runId}/cancel`);
      children[onParentEnd] = childId;
    }
    expect(await end(children['cancel'] ?? '')).toMatchObject({ status: 'cancelled' });
    expect(await fleet.api.run(children['leave'] ?? '')).toMatchObject({ status: 'running' });
    await signal(children['leave'] ?? '', 'go', 1);
    expect(await end(children['leave'] ?? '')).toMatchObject({ status: 'succeeded' });
  });
});

test('a retry asks open questions anew and starts another child run', async () => {
  const steps = {
    call: {
      kind: 'workflow',
      definition: { flotilla: 1, name: 'c', steps: { s: { kind: 'signal', name: 'x', timeoutMs: 50 } } },
    },
  };
  const runId = await start(define(steps));
  expect(await end(runId)).toMatchObject({ status: 'failed', error: { code: 'CHILD_RUN_FAILED' } });
  const [first] = await childrenOf(runId);
  await post(`/v1/runs/${runId}/retry`);
  expect(await end(runId)).toMatchObject({ status: 'failed' });
  const after = await childrenOf(runId);
  expect(after).toHaveLength(2);
  expect(after[0]).toBe(first);
});

async function childrenOf(runId: string): Promise<string[]> {
  const events = await fleet.api.history(runId);
  return events.flatMap(({ type, data }) => (type === 'wait-started' ? [String(data?.['subject'])] : []));
}
