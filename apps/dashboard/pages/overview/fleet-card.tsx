import { Link } from '@tanstack/react-router';
import { useAgents, useBreakers } from '../api/fleet.ts';
import { count } from '../format.ts';
import { Bar } from '../parts/bar.tsx';
import { Loaded } from '../parts/loaded.tsx';

/** Who works, how busy they are, and what stops them. */
export function FleetCard() {
  const agents = useAgents();
  const breakers = useBreakers();
  const open = breakers.data?.breakers.filter(({ state }) => state !== 'closed').length ?? 0;
  return (
    <section className="card">
      <header>
        <h2>Fleet</h2>
        <Link to="/agents">Agents</Link>
      </header>
      <Loaded query={agents}>
        {({ agents: all }) => {
          const living = all.filter(({ status }) => status !== 'lost');
          const running = living.reduce((sum, { load }) => sum + load.running, 0);
          const slots = living.reduce((sum, { load }) => sum + (load.limit ?? load.slots), 0);
          const unwell = all.filter(({ status }) => status === 'unhealthy' || status === 'lost').length;
          return (
            <div className="body stack loose">
              <dl className="stat-row">
                <Stat name="Agents" value={count(living.length)} />
                <Stat name="Unhealthy or lost" value={count(unwell)} />
                <Stat name="Breakers not closed" value={count(open)} />
              </dl>
              <div className="stack" style={{ gap: 4 }}>
                <div className="spread">
                  <span className="muted">Slots in use</span>
                  <span>
                    {count(running)} of {count(slots)}
                  </span>
                </div>
                <Bar share={slots === 0 ? 0 : running / slots} colour="blue" />
              </div>
            </div>
          );
        }}
      </Loaded>
    </section>
  );
}

export function Stat({ name, value }: { name: string; value: string }) {
  return (
    <div className="stat">
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
