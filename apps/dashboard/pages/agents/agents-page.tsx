import type { AgentEventList, AgentView } from '@flotilla/contracts';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useMemo } from 'react';
import { useAgentEvents, useAgents } from '../api/fleet.ts';
import { counted, duration, percent } from '../format.ts';
import { Bar } from '../parts/bar.tsx';
import { Ago } from '../parts/clock.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Empty } from '../parts/empty.tsx';
import { CloseIcon } from '../parts/icon.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { Page } from '../parts/page.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { AGENT_LOOKS } from '../states.ts';

const REASONS: Record<NonNullable<AgentView['reason']>, string> = {
  'consecutive-failures': 'different steps failed one after the other',
  'error-rate': 'too large a share of its attempts failed',
  'response-time': 'its attempts take much longer than elsewhere',
  'cooldown-elapsed': 'it has rested and is tried again',
  'probation-passed': 'it has proved itself',
  unseen: 'it has not been seen for too long',
  'heartbeat-resumed': 'it was seen again',
  'drain-requested': 'it is ending',
};

export function AgentsPage() {
  const agents = useAgents();
  const { agent: selectedId } = useSearch({ from: '/agents' });
  const navigate = useNavigate({ from: '/agents' });
  const open = useCallback((agent: string | undefined) => void navigate({ search: { agent } }), [navigate]);
  const columns = useMemo(() => agentColumns(open), [open]);
  const selected = agents.data?.agents.find(({ agentId }) => agentId === selectedId);
  return (
    <Page title="Agents" answer={answer(agents.data?.agents)}>
      <div className={`run-body${selected === undefined ? ' alone' : ''}`}>
        <Loaded query={agents}>
          {(data) => (
            <div className="card">
              {data.agents.length === 0 ? (
                <NoAgents />
              ) : (
                <DataTable
                  label="Agents"
                  columns={columns}
                  rows={data.agents}
                  rowId={({ agentId }) => agentId}
                  currentId={selectedId}
                  onOpen={({ agentId }) => open(agentId)}
                />
              )}
            </div>
          )}
        </Loaded>
        {selected === undefined ? null : <AgentPanel agent={selected} onClose={() => open(undefined)} />}
      </div>
      <Events />
    </Page>
  );
}

function answer(agents: readonly AgentView[] | undefined): string {
  if (agents === undefined) return '';
  const living = agents.filter(({ status }) => status !== 'lost');
  const slots = living.reduce((sum, { load }) => sum + (load.limit ?? load.slots), 0);
  const running = living.reduce((sum, { load }) => sum + load.running, 0);
  const unwell = living.filter(({ status }) => status !== 'healthy').length;
  const lost = agents.length - living.length;
  const health = `${unwell === 0 ? 'all healthy' : `${unwell} not healthy`}${lost === 0 ? '' : `, ${lost} lost lately`}`;
  return living.length === 0
    ? 'No agent is alive: runs wait until one comes'
    : `${counted(living.length, 'agent')}, ${health}; ${running} of ${counted(slots, 'slot')} in use`;
}

function NoAgents() {
  return (
    <Empty title="No agent has been seen">
      <span>Workers are agents. Start some:</span>
      <pre className="code-block">./flotilla up --workers 3</pre>
    </Empty>
  );
}

function agentColumns(open: (agentId: string) => void): readonly Column<AgentView>[] {
  return [
    { id: 'status', header: 'State', width: 116, cell: ({ status }) => <StateMark look={AGENT_LOOKS[status]} /> },
    {
      id: 'agent',
      header: 'Agent',
      width: 170,
      cell: ({ agentId }) => (
        <button type="button" className="button quiet mono" style={{ padding: 0 }} onClick={() => open(agentId)}>
          {agentId}
        </button>
      ),
    },
    {
      id: 'reason',
      header: 'Why',
      width: 180,
      grows: true,
      cell: ({ reason }) => (reason === undefined ? '' : <span title={REASONS[reason]}>{REASONS[reason]}</span>),
    },
    {
      id: 'load',
      header: 'Slots',
      width: 150,
      cell: ({ load }) => (
        <span className="meter">
          <Bar share={load.running / Math.max(1, load.limit ?? load.slots)} colour="blue" />
          <span className="nowrap">
            {load.running}/{load.limit ?? load.slots}
          </span>
        </span>
      ),
    },
    { id: 'intake', header: 'Takes', width: 60, cell: ({ intake }) => intake },
    {
      id: 'success',
      header: 'Success',
      width: 76,
      isNumber: true,
      cell: ({ performance: { succeeded, failed, successRate } }) =>
        succeeded + failed === 0 ? '–' : percent(successRate),
    },
    {
      id: 'p95',
      header: 'p95',
      width: 82,
      isNumber: true,
      cell: ({ performance: { p95Ms } }) => (p95Ms === undefined ? '–' : duration(p95Ms)),
    },
    { id: 'lag', header: 'Loop lag', width: 76, isNumber: true, cell: ({ load }) => duration(load.loopLagMs) },
    { id: 'host', header: 'Host', width: 130, cell: ({ host, pid }) => <span title={`${host} ${pid}`}>{host}</span> },
    { id: 'version', header: 'Version', width: 70, cell: ({ version }) => version },
    { id: 'seen', header: 'Last seen', width: 90, isNumber: true, cell: ({ lastSeenAt }) => <Ago at={lastSeenAt} /> },
  ];
}

function AgentPanel({ agent, onClose }: { agent: AgentView; onClose: () => void }) {
  const { performance: work } = agent;
  const facts = [
    ['State', `${AGENT_LOOKS[agent.status].word}${agent.reason === undefined ? '' : `: ${REASONS[agent.reason]}`}`],
    ['Takes work', agent.intake],
    ['Host, process', `${agent.host}, ${agent.pid}`],
    ['Queues', agent.queues.join(', ')],
    ['Capabilities', agent.capabilities.join(', ') || 'none'],
    ['Handlers', agent.handlers.join(', ') || 'none'],
    ['Last minute', `${work.succeeded} succeeded, ${work.failed} failed`],
    ['Failures in a row', String(work.consecutiveFailures)],
    ['Mean time', work.responseTimeMs === undefined ? '–' : duration(work.responseTimeMs)],
  ] as const;
  return (
    <aside className="card side-panel" aria-label={`Agent ${agent.agentId}`}>
      <header>
        <h2 className="mono">{agent.agentId}</h2>
        <button type="button" className="icon-button" onClick={onClose} aria-label="Close">
          <CloseIcon />
        </button>
      </header>
      <section>
        <dl className="facts">
          {facts.map(([name, value]) => (
            <div key={name} style={{ display: 'contents' }}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
          <dt>Since</dt>
          <dd>
            <Ago at={agent.since} />
          </dd>
          <dt>Started</dt>
          <dd>
            <Ago at={agent.startedAt} />
          </dd>
        </dl>
      </section>
    </aside>
  );
}

const EVENT_WORDS: Record<AgentEventList['events'][number]['type'], string> = {
  'agent-unhealthy': 'became unhealthy',
  'agent-probation': 'is tried again',
  'agent-recovered': 'is healthy again',
  'agent-lost': 'was lost',
};

function Events() {
  const events = useAgentEvents();
  const list = events.data?.events ?? [];
  if (list.length === 0) return null;
  return (
    <section className="card">
      <header>
        <h2>What happened to their health</h2>
      </header>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Agent</th>
            <th scope="col">What</th>
          </tr>
        </thead>
        <tbody>
          {list.slice(0, 20).map((event) => (
            <tr key={`${event.agentId} ${event.at} ${event.type}`}>
              <td className="nowrap">
                <Ago at={event.at} />
              </td>
              <td className="mono">{event.agentId}</td>
              <td>
                {EVENT_WORDS[event.type]}: <span className="muted">{REASONS[event.reason]}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
