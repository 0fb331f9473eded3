import type { Finding, Report, Verdict } from '@flotilla/contracts';
import { Link } from '@tanstack/react-router';
import { isAbsent, useAgents, useCounts, useErrors, useReport } from '../api/fleet.ts';
import { counted } from '../format.ts';
import { Bar } from '../parts/bar.tsx';
import { Ago } from '../parts/clock.tsx';
import { Empty } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { Page } from '../parts/page.tsx';
import { type IconName, type Role, STEP_LOOKS, WAIT_LOOKS, waitWords } from '../states.ts';
import { FleetCard } from './fleet-card.tsx';
import { LastHour } from './last-hour.tsx';
import { NextStep } from './next-step.tsx';

const VERDICTS: Record<Verdict, { word: string; role: Role; icon: IconName }> = {
  ok: { word: 'Healthy', role: 'green', icon: 'check' },
  degraded: { word: 'Degraded', role: 'amber', icon: 'warning' },
  failing: { word: 'Failing', role: 'red', icon: 'cross' },
};

export function OverviewPage() {
  const report = useReport();
  return (
    <Page title="Overview">
      {isAbsent(report.error) ? null : (
        <Loaded query={report}>
          {(data) => (
            <>
              <VerdictCard report={data} />
              <Findings findings={data.findings} />
            </>
          )}
        </Loaded>
      )}
      <div className="columns">
        <WaitingNow />
        <FailingNow />
        <FleetCard />
        <LastHour />
      </div>
      <FirstSteps />
    </Page>
  );
}

function VerdictCard({ report: { verdict, summary, at } }: { report: Report }) {
  const { word, role, icon } = VERDICTS[verdict];
  return (
    <section className={`verdict role-${role}`} aria-label="Verdict">
      <span className="icon">
        <Icon name={icon} />
      </span>
      <div>
        <p className="sentence">
          <span className="visually-hidden">{word}. </span>
          {summary}
        </p>
        <p className="muted">
          judged <Ago at={at} />
        </p>
      </div>
    </section>
  );
}

function Findings({ findings }: { findings: readonly Finding[] }) {
  if (findings.length === 0) return null;
  return (
    <section className="card" aria-label="Findings">
      {findings.map((finding) => (
        <div
          key={`${finding.code} ${finding.subject}`}
          className={`finding role-${finding.severity === 'failing' ? 'red' : 'amber'}`}
        >
          <Icon name={finding.severity === 'failing' ? 'cross' : 'warning'} />
          <div className="message">
            <strong>{finding.message}</strong>{' '}
            <span className="muted">
              {finding.runs === undefined ? '' : `${counted(finding.runs, 'run')} `}
              {finding.since === undefined ? null : (
                <>
                  since <Ago at={finding.since} />
                </>
              )}
            </span>
          </div>
          <p className="next message">{finding.next}</p>
          <NextStep finding={finding} />
        </div>
      ))}
    </section>
  );
}

function WaitingNow() {
  const counts = useCounts();
  return (
    <section className="card">
      <header>
        <h2>Waiting now, by reason</h2>
      </header>
      <Loaded query={counts}>
        {(data) => {
          const waiting = Object.entries(data.counts?.waiting ?? {});
          const isSplit = (key: string) => waiting.some(([other]) => other.startsWith(`${key}:`));
          const shown = waiting.filter(([key, total]) => total > 0 && !isSplit(key)).sort((a, b) => b[1] - a[1]);
          const [most = 1] = shown.map(([, total]) => total);
          if (shown.length === 0) return <Empty title="Nothing waits" />;
          return (
            <div className="bar-list">
              {shown.map(([key, total]) => {
                const [reason = '', subject] = key.split(':', 2);
                return (
                  <Link key={key} to="/runs" search={{ waiting: key }}>
                    <span className={`state role-${(WAIT_LOOKS[reason] ?? STEP_LOOKS.waiting).role}`}>
                      <Icon name={(WAIT_LOOKS[reason] ?? STEP_LOOKS.waiting).icon} />
                      {waitWords(reason, subject)}
                    </span>
                    <span className="number">{counted(total, 'run')}</span>
                    <Bar share={total / most} colour={(WAIT_LOOKS[reason] ?? STEP_LOOKS.waiting).role} />
                  </Link>
                );
              })}
            </div>
          );
        }}
      </Loaded>
    </section>
  );
}

const MOST_GROUPS = 8;

function FailingNow() {
  const errors = useErrors();
  if (isAbsent(errors.error)) return null;
  return (
    <section className="card">
      <header>
        <h2>Failing now, by error</h2>
        <Link to="/errors">All errors</Link>
      </header>
      <Loaded query={errors}>
        {(data) => {
          const open = data.errors.filter(({ state }) => state === 'open' || state === 'back').slice(0, MOST_GROUPS);
          const most = Math.max(1, ...open.map(({ count }) => count));
          if (open.length === 0) return <Empty title="No open errors" />;
          return (
            <div className="bar-list">
              {open.map((group) => (
                <Link key={group.fingerprint} to="/errors" search={{ group: group.fingerprint }}>
                  <span className="truncate" title={group.message}>
                    <code>{group.code}</code> {group.handler ?? ''} <span className="muted">{group.message}</span>
                  </span>
                  <span className="number nowrap">
                    {group.count} · <Ago at={group.lastSeenAt} />
                  </span>
                  <Bar share={group.count / most} colour="red" />
                </Link>
              ))}
            </div>
          );
        }}
      </Loaded>
    </section>
  );
}

/** An empty fleet says how it is filled. */
function FirstSteps() {
  const counts = useCounts();
  const agents = useAgents();
  const isEmpty = counts.data?.runs.length === 0;
  if (!isEmpty || agents.data === undefined) return null;
  return (
    <section className="card">
      <Empty title="Nothing has run here yet">
        <span>Two commands fill these pages, in the project's folder:</span>
        <pre className="code-block">
          {agents.data.agents.length === 0 ? './flotilla up\n' : ''}
          {'./flotilla run examples/first-workflow/slow.yaml\n./flotilla ps'}
        </pre>
      </Empty>
    </section>
  );
}
