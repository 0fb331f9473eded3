import type { WorkflowView } from '@flotilla/contracts';
import { Link, useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useWorkflows } from '../api/fleet.ts';
import { counted } from '../format.ts';
import { Ago } from '../parts/clock.tsx';
import { type Column, DataTable } from '../parts/data-table.tsx';
import { Empty } from '../parts/empty.tsx';
import { Loaded } from '../parts/loaded.tsx';
import { Page } from '../parts/page.tsx';

interface WorkflowRow {
  name: string;
  latest: WorkflowView;
  versions: number;
}

export function WorkflowsPage() {
  const workflows = useWorkflows();
  const navigate = useNavigate();
  const rows = useMemo(() => latestOf(workflows.data ?? []), [workflows.data]);
  return (
    <Page
      title="Workflows"
      answer={workflows.data === undefined ? '' : `${counted(rows.length, 'workflow')} registered`}
    >
      <Loaded query={workflows}>
        {() => (
          <div className="card">
            {rows.length === 0 ? (
              <Empty title="No workflow is registered">
                <span>Runs may also be started with a definition of their own. To register one:</span>
                <pre className="code-block">./flotilla register examples/first-workflow/invoice.yaml</pre>
              </Empty>
            ) : (
              <DataTable
                label="Workflows"
                columns={COLUMNS}
                rows={rows}
                rowId={({ name }) => name}
                onOpen={({ name }) => void navigate({ to: '/workflows/$name', params: { name } })}
              />
            )}
          </div>
        )}
      </Loaded>
    </Page>
  );
}

function latestOf(all: readonly WorkflowView[]): WorkflowRow[] {
  const byName = Map.groupBy(all, ({ name }) => name);
  return [...byName].map(([name, versions]) => {
    const latest = versions.reduce((last, each) => (each.registeredAt > last.registeredAt ? each : last));
    return { name, latest, versions: versions.length };
  });
}

const COLUMNS: readonly Column<WorkflowRow>[] = [
  {
    id: 'name',
    header: 'Workflow',
    width: 220,
    grows: true,
    cell: ({ name }) => (
      <Link to="/workflows/$name" params={{ name }}>
        {name}
      </Link>
    ),
  },
  { id: 'version', header: 'Latest version', width: 120, cell: ({ latest }) => latest.version ?? '–' },
  { id: 'versions', header: 'Versions', width: 90, isNumber: true, cell: ({ versions }) => versions },
  {
    id: 'registered',
    header: 'Registered',
    width: 110,
    isNumber: true,
    cell: ({ latest }) => <Ago at={latest.registeredAt} />,
  },
  {
    id: 'runs',
    header: '',
    width: 70,
    cell: ({ name }) => (
      <Link to="/runs" search={{ workflow: name }}>
        Runs
      </Link>
    ),
  },
];
