import { useQuery } from '@tanstack/react-query';
import { BASE, readApi } from '../api/call-api.ts';
import { useAgents } from '../api/fleet.ts';
import { count, counted, duration } from '../format.ts';
import { useNow } from '../parts/clock.tsx';
import { Empty } from '../parts/empty.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { Page } from '../parts/page.tsx';

interface QueueView {
  name: string;
  waiting: number;
  active: number;
  completed: number;
  failed: number;
  oldestWaitingAt?: number;
}

/** Task queues: how much waits, for how long, and who takes from them. */
export function QueuesPage() {
  const queues = useQuery({
    queryKey: ['queues'],
    queryFn: ({ signal }) => readApi<{ queues: QueueView[] }>('/queue-list', {}, signal),
    refetchInterval: 2000,
  });
  const agents = useAgents();
  const servers = (name: string) =>
    agents.data?.agents.filter((agent) => agent.status !== 'lost' && agent.queues.includes(name)).length;
  return (
    <Page
      title="Queues"
      answer={answer(queues.data?.queues)}
      actions={
        <a className="button" href={`${BASE}queues/`}>
          Bull dashboard
        </a>
      }
    >
      <Loaded query={queues}>
        {(data) => (
          <section className="card scroll-x">
            {data.queues.length === 0 ? (
              <Empty title="No queue has been used yet">They appear with the first worker or the first task.</Empty>
            ) : (
              <QueueTable queues={data.queues} servers={servers} />
            )}
          </section>
        )}
      </Loaded>
      <p className="muted">
        A task is a hint that steps may be claimed: losing or repeating one changes nothing. So the Bull dashboard shows
        them and cannot change them; runs are acted on here.
      </p>
    </Page>
  );
}

function answer(queues: readonly QueueView[] | undefined): string {
  if (queues === undefined) return '';
  const waiting = queues.reduce((sum, queue) => sum + queue.waiting, 0);
  return waiting === 0 ? 'No task waits' : `${counted(waiting, 'task')} waiting`;
}

interface QueueTableProps {
  queues: readonly QueueView[];
  servers: (name: string) => number | undefined;
}

function QueueTable({ queues, servers }: QueueTableProps) {
  const now = useNow();
  return (
    <table className="plain-table">
      <thead>
        <tr>
          <th scope="col">Queue</th>
          <th scope="col" className="number">
            Waiting
          </th>
          <th scope="col" className="number">
            Oldest waits
          </th>
          <th scope="col" className="number">
            In work
          </th>
          <th scope="col" className="number">
            Done lately
          </th>
          <th scope="col" className="number">
            With a failure
          </th>
          <th scope="col" className="number">
            Agents
          </th>
        </tr>
      </thead>
      <tbody>
        {queues.map((queue) => (
          <tr key={queue.name}>
            <td>
              <a href={`${BASE}queues/queue/${encodeURIComponent(queue.name)}`}>{queue.name}</a>
            </td>
            <td className="number">{count(queue.waiting)}</td>
            <td className="number">
              {queue.oldestWaitingAt === undefined ? '–' : duration(now - queue.oldestWaitingAt)}
            </td>
            <td className="number">{count(queue.active)}</td>
            <td className="number">{count(queue.completed)}</td>
            <td className="number">{count(queue.failed)}</td>
            <td className="number">
              {servers(queue.name) === 0 && queue.waiting > 0 ? (
                <strong className="tinted role-red">none</strong>
              ) : (
                (servers(queue.name) ?? '–')
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
