import type { RunList, StepView, WorkflowDefinition, WorkflowView } from '@flotilla/contracts';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useMemo } from 'react';
import { readApi } from '../api/call-api.ts';
import { useWorkflow, useWorkflows } from '../api/fleet.ts';
import { useScope } from '../api/session.ts';
import { count, duration, percent } from '../format.ts';
import { Stat } from '../overview/fleet-card.tsx';
import { Ago } from '../parts/clock.tsx';
import { JsonView } from '../parts/json-view.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { Page } from '../parts/page.tsx';
import { emptyFold } from '../run/fold-history.ts';
import { MOST_UNFOLDED_STEPS, planGraph } from '../run/graph/plan-graph.ts';
import { StepGraph } from '../run/graph/step-graph.tsx';
import type { RunStep, RunSteps } from '../run/use-run-steps.ts';
import { hasEnded } from '../states.ts';
import { StartRun } from './start-run.tsx';

export function WorkflowPage() {
  const { name } = useParams({ from: '/workflows/$name' });
  const { version, start } = useSearch({ from: '/workflows/$name' });
  const navigate = useNavigate({ from: '/workflows/$name' });
  const workflow = useWorkflow(name, version);
  const maySubmit = useScope('submit');
  const setStart = (next: string | undefined) => void navigate({ search: (before) => ({ ...before, start: next }) });
  return (
    <Page
      title={name}
      actions={
        <>
          <Versions name={name} version={version} />
          <Link to="/runs" search={{ workflow: name }} className="button">
            Runs
          </Link>
          {maySubmit ? (
            <button type="button" className="button primary" onClick={() => setStart('1')}>
              Start a run…
            </button>
          ) : null}
        </>
      }
    >
      <Loaded query={workflow}>
        {(data) => (
          <>
            <About workflow={data} />
            <Shape workflow={data} />
            <section className="card">
              <header>
                <h2>Definition</h2>
              </header>
              <div className="body">
                <JsonView value={data.definition} what="definition" />
              </div>
            </section>
            {start === undefined ? null : (
              <StartRun workflow={data} isLatest={version === undefined} onClose={() => setStart(undefined)} />
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Versions({ name, version }: { name: string; version: string | undefined }) {
  const workflows = useWorkflows();
  const navigate = useNavigate({ from: '/workflows/$name' });
  const versions = (workflows.data ?? [])
    .filter((each) => each.name === name)
    .toSorted((a, b) => b.registeredAt - a.registeredAt);
  if (versions.length < 2) return null;
  return (
    <select
      aria-label="Version"
      value={version ?? ''}
      onChange={(event) => void navigate({ search: event.target.value === '' ? {} : { version: event.target.value } })}
    >
      <option value="">latest</option>
      {versions.map((each) => (
        <option key={each.definitionHash} value={each.version ?? each.definitionHash}>
          {each.version ?? each.definitionHash.slice(0, 12)}
        </option>
      ))}
    </select>
  );
}

const RECENT = 200;

function About({ workflow: { name, version, definitionHash, registeredAt, definition } }: { workflow: WorkflowView }) {
  const { title, description } = (definition ?? {}) as Partial<WorkflowDefinition>;
  const recent = useQuery({
    queryKey: ['recent', name],
    queryFn: ({ signal }) => readApi<RunList>('/v1/runs', { workflow: name, limit: RECENT }, signal),
    refetchInterval: 10_000,
  });
  const ended = recent.data?.runs.filter(({ status }) => hasEnded(status)) ?? [];
  const succeeded = ended.filter(({ status }) => status === 'succeeded');
  const took = succeeded
    .flatMap(({ createdAt, endedAt }) => (endedAt === undefined ? [] : [endedAt - createdAt]))
    .sort((a, b) => a - b);
  const quantile = (share: number) => {
    const value = took[Math.min(took.length - 1, Math.floor(took.length * share))];
    return value === undefined ? '–' : duration(value);
  };
  return (
    <section className="card">
      <div className="body stack loose">
        {title === undefined ? null : <p>{title}</p>}
        {description === undefined ? null : <p className="muted">{description}</p>}
        <dl className="stat-row">
          <Stat
            name="Steps"
            value={count(Object.keys((definition as WorkflowDefinition | undefined)?.steps ?? {}).length)}
          />
          <Stat
            name={`Success, last ${ended.length} ended`}
            value={ended.length === 0 ? '–' : percent(succeeded.length / ended.length)}
          />
          <Stat name="Usual time (p50)" value={quantile(0.5)} />
          <Stat name="p95" value={quantile(0.95)} />
        </dl>
        <p className="muted">
          {version === undefined ? 'No version' : `Version ${version}`}, registered <Ago at={registeredAt} />, content{' '}
          <code title={definitionHash}>{definitionHash.slice(0, 12)}</code>
        </p>
      </div>
    </section>
  );
}

const NONE: ReadonlySet<string> = new Set();
const ignore = () => undefined;
const NO_HISTORY: RunSteps['history'] = { events: [], folded: emptyFold(), isComplete: true, error: undefined };

/** The graph of the definition, before anything of it has run. */
function Shape({ workflow }: { workflow: WorkflowView }) {
  const steps = useMemo(() => stepsOf(workflow.definition as WorkflowDefinition | undefined), [workflow]);
  const plan = useMemo(() => planGraph(steps.list, steps.list.length > MOST_UNFOLDED_STEPS), [steps]);
  if (steps.list.length === 0) return null;
  return <StepGraph plan={plan} steps={steps} selected={undefined} critical={NONE} onSelect={ignore} isPreview />;
}

function stepsOf(definition: WorkflowDefinition | undefined): RunSteps {
  const list = sortByNeeds(Object.entries(definition?.steps ?? {})).map(([stepId, step], position): RunStep => {
    const { kind, needs = [], title } = step;
    const use = 'use' in step ? step.use : undefined;
    const targets = branchesTo(definition, stepId);
    const view: StepView = {
      ...{ stepId, kind, status: 'waiting', attempts: 0, needs: [...needs, ...targets] },
      ...(title === undefined ? {} : { title }),
      ...(use === undefined ? {} : { use }),
    };
    return { view, position, status: 'waiting', record: undefined };
  });
  const byId = new Map(list.map((step) => [step.view.stepId, step]));
  return { list, byId, history: NO_HISTORY, folded: NO_HISTORY.folded, isLoaded: true };
}

/** Branches that lead to a step come before it, as needs do. */
function branchesTo(definition: WorkflowDefinition | undefined, stepId: string): string[] {
  return Object.entries(definition?.steps ?? {}).flatMap(([id, step]) => {
    if (step.kind !== 'branch') return [];
    return step.otherwise === stepId || step.cases.some(({ to }) => to === stepId) ? [id] : [];
  });
}

type Entry = [string, WorkflowDefinition['steps'][string]];

function sortByNeeds(entries: readonly Entry[]): Entry[] {
  const byId = new Map(entries);
  const sorted = new Map<string, Entry>();
  const visit = (id: string, depth: number) => {
    const step = byId.get(id);
    if (step === undefined || sorted.has(id) || depth > 2000) return;
    for (const need of step.needs ?? []) visit(need, depth + 1);
    sorted.set(id, [id, step]);
  };
  for (const [id] of entries) visit(id, 0);
  return [...sorted.values()];
}
