import {
  createRootRoute,
  createRoute,
  createRouter,
  type ErrorRouteComponent,
  lazyRouteComponent,
} from '@tanstack/react-router';
import { BASE } from './api/call-api.ts';
import { Frame } from './layout/frame.tsx';
import { NotFound, PageFailed } from './layout/page-failed.tsx';

/** Parameters of a page, all texts: what is not one is left out, so that any link opens something. */
type TextSearch<Name extends string> = { [Key in Name]?: string | undefined };

function texts<const Name extends string>(...names: readonly Name[]) {
  return (search: Record<string, unknown>): TextSearch<Name> =>
    Object.fromEntries(
      names.flatMap((name) => {
        const value = search[name];
        return value === undefined || value === '' ? [] : [[name, String(value)]];
      }),
    ) as TextSearch<Name>;
}

const root = createRootRoute({ component: Frame, notFoundComponent: NotFound });
const page = { getParentRoute: () => root } as const;

const overview = createRoute({
  ...page,
  path: '/',
  component: lazyRouteComponent(() => import('./overview/overview-page.tsx'), 'OverviewPage'),
});
const runs = createRoute({
  ...page,
  path: '/runs',
  validateSearch: texts('status', 'workflow', 'tag', 'waiting', 'error', 'id', 'from', 'to', 'hide'),
  component: lazyRouteComponent(() => import('./runs/runs-page.tsx'), 'RunsPage'),
});
const run = createRoute({
  ...page,
  path: '/runs/$runId',
  validateSearch: texts('tab', 'step', 'only', 'fold', 'attempt'),
  component: lazyRouteComponent(() => import('./run/run-page.tsx'), 'RunPage'),
});
const compare = createRoute({
  ...page,
  path: '/compare',
  validateSearch: texts('run', 'other'),
  component: lazyRouteComponent(() => import('./run/compare-page.tsx'), 'ComparePage'),
});
const errors = createRoute({
  ...page,
  path: '/errors',
  validateSearch: texts('state', 'group'),
  component: lazyRouteComponent(() => import('./errors/errors-page.tsx'), 'ErrorsPage'),
});
const agents = createRoute({
  ...page,
  path: '/agents',
  validateSearch: texts('agent'),
  component: lazyRouteComponent(() => import('./agents/agents-page.tsx'), 'AgentsPage'),
});
const breakers = createRoute({
  ...page,
  path: '/breakers',
  component: lazyRouteComponent(() => import('./breakers/breakers-page.tsx'), 'BreakersPage'),
});
const deadLetters = createRoute({
  ...page,
  path: '/dead-letters',
  validateSearch: texts('workflow', 'stepId', 'use', 'errorCode', 'reason', 'letter'),
  component: lazyRouteComponent(() => import('./dead-letters/dead-letters-page.tsx'), 'DeadLettersPage'),
});
const workflows = createRoute({
  ...page,
  path: '/workflows',
  component: lazyRouteComponent(() => import('./workflows/workflows-page.tsx'), 'WorkflowsPage'),
});
const workflow = createRoute({
  ...page,
  path: '/workflows/$name',
  validateSearch: texts('version', 'start'),
  component: lazyRouteComponent(() => import('./workflows/workflow-page.tsx'), 'WorkflowPage'),
});
const bulk = createRoute({
  ...page,
  path: '/bulk',
  validateSearch: texts('job'),
  component: lazyRouteComponent(() => import('./bulk/bulk-page.tsx'), 'BulkPage'),
});
const taskQueues = createRoute({
  ...page,
  path: '/task-queues',
  component: lazyRouteComponent(() => import('./queues/queues-page.tsx'), 'QueuesPage'),
});
const settings = createRoute({
  ...page,
  path: '/settings',
  component: lazyRouteComponent(() => import('./settings/settings-page.tsx'), 'SettingsPage'),
});
const login = createRoute({
  ...page,
  path: '/login',
  validateSearch: texts('next'),
  component: lazyRouteComponent(() => import('./session/login-page.tsx'), 'LoginPage'),
});

const routeTree = root.addChildren([
  ...[overview, runs, run, compare, errors, agents, breakers],
  ...[deadLetters, workflows, workflow, bulk, taskQueues, settings, login],
]);

/** Plain texts in the address, as people write them: `?status=failed&tag=nightly`. */
function parseSearch(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

function stringifySearch(search: Record<string, unknown>): string {
  const given = Object.entries(search).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  // Colons are legal there, and easier to read: waiting=breaker:payments.
  return text === '' ? '' : `?${text.replaceAll('%3A', ':')}`;
}

export function createPageRouter() {
  return createRouter({
    routeTree,
    basepath: BASE,
    parseSearch,
    stringifySearch,
    defaultPreload: 'intent',
    scrollRestoration: true,
    defaultErrorComponent: PageFailed as ErrorRouteComponent,
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createPageRouter>;
  }
}
