import type { BreakerView } from '@flotilla/contracts';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { changeApi, part } from '../api/call-api.ts';
import { useBreakers } from '../api/fleet.ts';
import { useScope } from '../api/session.ts';
import { count, counted, relative } from '../format.ts';
import { Ago, useNow } from '../parts/clock.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Empty } from '../parts/empty.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { Page } from '../parts/page.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { BREAKER_LOOKS } from '../states.ts';

export function BreakersPage() {
  const breakers = useBreakers();
  const now = useNow();
  return (
    <Page title="Breakers" answer={answer(breakers.data?.breakers, now)}>
      <Loaded query={breakers}>
        {(data) => (
          <section className="card scroll-x">
            {data.breakers.length === 0 ? (
              <Empty title="No step has used a breaker within a day">
                A step names one with <code>breaker:</code> in its definition.
              </Empty>
            ) : (
              <BreakerTable breakers={data.breakers} />
            )}
          </section>
        )}
      </Loaded>
    </Page>
  );
}

function answer(breakers: readonly BreakerView[] | undefined, now: number): string {
  if (breakers === undefined) return '';
  const open = breakers.filter(({ state }) => state !== 'closed');
  const [first] = open;
  if (first === undefined) return breakers.length === 0 ? '' : `All ${counted(breakers.length, 'breaker')} closed`;
  const trial =
    first.openUntil === undefined ? 'until a person closes it' : `next trial ${relative(first.openUntil, now)}`;
  const held = open.reduce((sum, { parked }) => sum + parked, 0);
  return open.length === 1
    ? `${first.name} is ${BREAKER_LOOKS[first.state].word}, ${trial}; it holds ${counted(first.parked, 'step')}`
    : `${open.length} breakers are not closed; they hold ${counted(held, 'step')}`;
}

function BreakerTable({ breakers }: { breakers: readonly BreakerView[] }) {
  const rank = { open: 0, 'half-open': 1, closed: 2 } as const;
  const sorted = breakers.toSorted((a, b) => rank[a.state] - rank[b.state] || (a.name < b.name ? -1 : 1));
  return (
    <table className="plain-table">
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">Breaker</th>
          <th scope="col">Cause</th>
          <th scope="col">Since</th>
          <th scope="col">Next trial</th>
          <th scope="col" className="number">
            Holds
          </th>
          <th scope="col">
            <span className="visually-hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {sorted.map((breaker) => (
          <BreakerRow key={breaker.name} breaker={breaker} />
        ))}
      </tbody>
    </table>
  );
}

function BreakerRow({ breaker }: { breaker: BreakerView }) {
  const { name, state, since, openUntil, parked, manual, cause, trials } = breaker;
  return (
    <tr>
      <td>
        <StateMark look={BREAKER_LOOKS[state]} />
      </td>
      <td>{name}</td>
      <td className="message">{manual ? 'opened by hand' : (cause ?? '')}</td>
      <td className="nowrap">
        <Ago at={since} />
      </td>
      <td className="nowrap">
        {state === 'closed' ? '' : null}
        {state === 'half-open' ? `${counted(trials, 'trial')} under way` : null}
        {state === 'open' && openUntil !== undefined ? <Ago at={openUntil} /> : null}
        {state === 'open' && openUntil === undefined ? 'when a person closes it' : null}
      </td>
      <td className="number">
        <Link to="/runs" search={{ waiting: `breaker:${name}` }}>
          {count(parked)}
        </Link>
      </td>
      <td>
        <BreakerActions breaker={breaker} />
      </td>
    </tr>
  );
}

function BreakerActions({ breaker: { name, state, parked } }: { breaker: BreakerView }) {
  const mayOperate = useScope('operate');
  const queryClient = useQueryClient();
  const [asked, setAsked] = useState<'open' | 'close'>();
  if (!mayOperate) return null;
  const act = async () => {
    await changeApi('POST', `/v1/breakers/${part(name)}/${asked}`);
    await queryClient.invalidateQueries({ queryKey: ['breakers'] });
  };
  return (
    <>
      <button type="button" className="button small" onClick={() => setAsked(state === 'closed' ? 'open' : 'close')}>
        {state === 'closed' ? 'Open…' : 'Close…'}
      </button>
      {asked === undefined ? null : (
        <Confirm
          title={asked === 'open' ? `Open breaker ${name}` : `Close breaker ${name}`}
          action={asked === 'open' ? 'Open it' : 'Close it'}
          isDangerous={asked === 'open'}
          onConfirm={act}
          onClose={() => setAsked(undefined)}
        >
          <p>
            {asked === 'open'
              ? 'No step behind it starts any more, on the whole fleet, until a person closes it. Nothing is charged to the steps that wait.'
              : `Calls are allowed again on the whole fleet. ${counted(parked, 'step')} that it holds will be started, spread over a while.`}
          </p>
        </Confirm>
      )}
    </>
  );
}
