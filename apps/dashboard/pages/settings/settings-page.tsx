import type { Scope } from '@flotilla/contracts';
import { useQuery } from '@tanstack/react-query';
import { readApi } from '../api/call-api.ts';
import { useFlags } from '../api/fleet.ts';
import { useSession } from '../api/session.ts';
import { TIME_ZONE } from '../format.ts';
import { Loaded } from '../parts/loaded.tsx';
import { Page } from '../parts/page.tsx';
import { StateMark } from '../parts/state-mark.tsx';

interface Deployment {
  schedulerUrl: string;
  namespace: string;
  version: string;
  redis: string;
  redisIsReady: boolean;
  schedulerIsReady: boolean;
  problems: { code: string; message: string }[];
}

const SCOPES: Record<Scope, string> = {
  read: 'see runs, agents, breakers and queues',
  payloads: 'see what runs carry: inputs, outputs, logs',
  submit: 'start runs and register workflows',
  operate: 'cancel, pause, retry, redrive, open and close breakers',
};
const YES = { word: 'yes', icon: 'check', role: 'green' } as const;
const NO = { word: 'no', icon: 'dash', role: 'grey' } as const;
const REACHED = { word: 'answers', icon: 'check', role: 'green' } as const;
const AWAY = { word: 'does not answer', icon: 'cross', role: 'red' } as const;

/** How this deployment is set up, and what this browser may do. Settings are changed where the processes start. */
export function SettingsPage() {
  return (
    <Page
      title="Settings"
      answer="How this deployment is set up. It is changed by the variables its processes start with."
    >
      <div className="columns">
        <DeploymentCard />
        <AccessCard />
      </div>
      <FlagsCard />
    </Page>
  );
}

function DeploymentCard() {
  const deployment = useQuery({
    queryKey: ['deployment'],
    queryFn: ({ signal }) => readApi<Deployment>('/deployment', {}, signal),
    refetchInterval: 5000,
  });
  return (
    <section className="card">
      <header>
        <h2>Deployment</h2>
      </header>
      <Loaded query={deployment}>
        {(data) => (
          <div className="body stack">
            <dl className="facts">
              <dt>Scheduler</dt>
              <dd>
                <code>{data.schedulerUrl}</code> <StateMark look={data.schedulerIsReady ? REACHED : AWAY} />
              </dd>
              <dt>Redis</dt>
              <dd>
                <code>{data.redis}</code> <StateMark look={data.redisIsReady ? REACHED : AWAY} />
              </dd>
              <dt>Namespace</dt>
              <dd>
                <code>{data.namespace}</code>
              </dd>
              <dt>Dashboard</dt>
              <dd>{data.version}</dd>
              <dt>Time zone</dt>
              <dd>{TIME_ZONE}, of this browser</dd>
            </dl>
            {data.problems.map(({ code, message }) => (
              <p key={code} className="problem-text">
                <code>{code}</code> {message}
              </p>
            ))}
          </div>
        )}
      </Loaded>
    </section>
  );
}

function AccessCard() {
  const session = useSession();
  return (
    <section className="card">
      <header>
        <h2>What you may do</h2>
        <span className="muted">{session.data?.loggedIn ? 'by your key' : 'no key is asked for'}</span>
      </header>
      <table className="plain-table">
        <tbody>
          {(Object.keys(SCOPES) as Scope[]).map((scope) => (
            <tr key={scope}>
              <td>
                <StateMark look={session.data?.scopes.includes(scope) ? YES : NO} />
              </td>
              <td>
                <code>{scope}</code>
              </td>
              <td>{SCOPES[scope]}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function FlagsCard() {
  const flags = useFlags();
  return (
    <section className="card">
      <header>
        <h2>Feature flags</h2>
        <span className="muted">as the scheduler was started with them</span>
      </header>
      <Loaded query={flags}>
        {(data) => (
          <div className="scroll-x">
            <table className="plain-table">
              <thead>
                <tr>
                  <th scope="col">Flag</th>
                  <th scope="col" className="number">
                    On for
                  </th>
                  <th scope="col">Of</th>
                  <th scope="col">What it does</th>
                </tr>
              </thead>
              <tbody>
                {data.flags.map(({ name, percent, scope, description }) => (
                  <tr key={name}>
                    <td>
                      <code>{name}</code>
                    </td>
                    <td className="number">{percent} %</td>
                    <td>{scope === 'run' ? 'runs' : 'the fleet'}</td>
                    <td>{description}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Loaded>
    </section>
  );
}
