import type { RunComparison } from '@flotilla/contracts';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useComparison } from '../api/runs.ts';
import { counted } from '../format.ts';
import { Empty } from '../parts/empty.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { Page } from '../parts/page.tsx';
import { RunId } from '../parts/run-id.tsx';

const WHAT: Record<NonNullable<RunComparison['firstDivergence']>['what'], string> = {
  definition: 'They are of different definitions.',
  input: 'They were started with different inputs.',
  status: 'One has settled the step otherwise than the other.',
  output: 'The step gave different outputs.',
  error: 'The step failed with different errors.',
  items: 'The map was given a different number of items.',
};

/** Two runs of one workflow: the first step that differs is the cause, what comes after it may be its consequence. */
export function ComparePage() {
  const { run = '', other = '' } = useSearch({ from: '/compare' });
  const navigate = useNavigate({ from: '/compare' });
  const comparison = useComparison(run, run === '' ? '' : other);
  const compare = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    void navigate({ search: { run: text('run'), other: text('other') } });
  };
  return (
    <Page title="Compare two runs" answer="Finds the first step whose result differs, by the hashes of what is stored.">
      <form className="filters card" style={{ padding: 12 }} onSubmit={compare} key={`${run} ${other}`}>
        <label className="field grow">
          <span className="label">Run</span>
          <input type="text" name="run" defaultValue={run} required spellCheck={false} data-filter="" />
        </label>
        <label className="field grow">
          <span className="label">Other run</span>
          <input type="text" name="other" defaultValue={other} required spellCheck={false} />
        </label>
        <button type="submit" className="button primary">
          Compare
        </button>
      </form>
      {run === '' || other === '' ? (
        <Empty title="Give the ids of two runs">They are on each run's page, beside its title.</Empty>
      ) : (
        <Loaded query={comparison}>{(data) => <Comparison comparison={data} />}</Loaded>
      )}
    </Page>
  );
}

function Comparison({ comparison }: { comparison: RunComparison }) {
  const { firstDivergence: first, compared, differing } = comparison;
  if (first === undefined) {
    return (
      <div className="card">
        <Empty title="Nothing differs">{counted(compared, 'settled step')} compared.</Empty>
      </div>
    );
  }
  const sides = [
    [comparison.runId, first.run],
    [comparison.otherRunId, first.other],
  ] as const;
  return (
    <section className="card">
      <header>
        <h2>{first.stepId === undefined ? 'The runs differ as a whole' : `They part at ${first.stepId}`}</h2>
        <span className="muted">
          {counted(differing, 'step')} of {compared} differ
        </span>
      </header>
      <p className="body">{WHAT[first.what]}</p>
      <div className="scroll-x">
        <table className="plain-table">
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">State of the step</th>
              <th scope="col">Hash</th>
              <th scope="col">
                <span className="visually-hidden">Link</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {sides.map(([runId, side]) => (
              <tr key={runId}>
                <td>
                  <RunId runId={runId} />
                </td>
                <td>{side.status ?? '–'}</td>
                <td>
                  <code title={side.hash}>{side.hash?.slice(0, 16) ?? '–'}</code>
                </td>
                <td>
                  {first.stepId === undefined ? null : (
                    <Link to="/runs/$runId" params={{ runId }} search={{ step: first.stepId }}>
                      Show the step
                    </Link>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
