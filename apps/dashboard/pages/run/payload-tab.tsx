import type { RunView } from '@flotilla/contracts';
import { JsonView } from '../parts/json-view.tsx';

export function PayloadTab({ run }: { run: RunView }) {
  return (
    <div className="columns">
      <section className="card">
        <header>
          <h2>Input</h2>
        </header>
        <div className="body">
          <JsonView value={run.input} what="input" />
        </div>
      </section>
      <section className="card">
        <header>
          <h2>Output</h2>
        </header>
        <div className="body">
          <JsonView value={run.output} what="output" />
        </div>
      </section>
      {run.error === undefined ? null : (
        <section className="card">
          <header>
            <h2>Error</h2>
          </header>
          <div className="body">
            <JsonView value={run.error} what="error" />
          </div>
        </section>
      )}
    </div>
  );
}
