import { useCleanups } from '../api/runs.ts';
import { Took } from '../parts/clock.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { STEP_LOOKS, type StateLook } from '../states.ts';

const REGISTERED: StateLook = { word: 'registered', icon: 'hollow', role: 'neutral' };

/** Compensations and registered cleanups, in the order in which they are made: the last registered first. */
export function CleanupTab({ runId, isActive }: { runId: string; isActive: boolean }) {
  const cleanups = useCleanups(runId, isActive);
  return (
    <Loaded query={cleanups}>
      {(data) => (
        <section className="card scroll-x" aria-label="Cleanups">
          <table className="plain-table">
            <thead>
              <tr>
                <th scope="col">State</th>
                <th scope="col">Step</th>
                <th scope="col">Handler</th>
                <th scope="col">Kind</th>
                <th scope="col" className="number">
                  Attempts
                </th>
                <th scope="col" className="number">
                  Took
                </th>
                <th scope="col">Error</th>
              </tr>
            </thead>
            <tbody>
              {data.cleanups.toReversed().map((cleanup) => (
                <tr key={cleanup.number}>
                  <td>
                    <StateMark look={cleanup.status === 'registered' ? REGISTERED : STEP_LOOKS[cleanup.status]} />
                  </td>
                  <td>{cleanup.stepId}</td>
                  <td>{cleanup.use}</td>
                  <td>{cleanup.kind}</td>
                  <td className="number">{cleanup.attempts}</td>
                  <td className="number">
                    {cleanup.startedAt === undefined ? '–' : <Took from={cleanup.startedAt} to={cleanup.endedAt} />}
                  </td>
                  <td className="message">{cleanup.error === undefined ? '' : cleanup.error.message}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </Loaded>
  );
}
