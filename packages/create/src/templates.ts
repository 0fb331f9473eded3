/** What a project can begin with. Its files are in the folder `templates/NAME`. */
export interface Template {
  description: string;
  /** Of the handlers, in the project. */
  handlers: string;
  workflow: string;
  /** Of the first run, in JSON. */
  input: string;
  /** What `node --test` is to run; undefined: all that it finds. */
  check?: string;
  /** Files go into a project that there is, and scripts get names of their own there. */
  adds?: boolean;
}

export const TEMPLATES: Readonly<Record<string, Template>> = {
  'first-workflow': {
    description: 'a workflow of two steps',
    handlers: 'src/handlers.ts',
    workflow: 'welcome.yaml',
    input: '{ "name": "Ada" }',
  },
  agents: {
    description: 'agents that plan, read side by side and write',
    handlers: 'src/handlers.ts',
    workflow: 'research.yaml',
    input: '{ "question": "When is high water?" }',
  },
  existing: {
    description: 'a folder flotilla/ in a project that you have',
    handlers: 'flotilla/handlers.mts',
    workflow: 'flotilla/welcome.yaml',
    input: '{ "name": "Ada" }',
    check: 'flotilla/check.mjs',
    adds: true,
  },
};

export const FIRST_TEMPLATE = 'first-workflow';

/** The template of that name; undefined when there is none. */
export function templateOf(name: string): Template | undefined {
  return Object.hasOwn(TEMPLATES, name) ? TEMPLATES[name] : undefined;
}

/** What goes into package.json under "scripts". */
export function scriptsOf(template: Template): Record<string, string> {
  const { handlers, workflow, input, check, adds } = template;
  const scripts = {
    dev: `flotilla dev --handlers ${handlers}`,
    start: `flotilla run ${workflow} --input '${input}' --wait`,
    test: `flotilla validate ${workflow} && node --test${check === undefined ? '' : ` ${check}`}`,
    worker: `FLOTILLA_HANDLERS=${handlers} flotilla worker`,
  };
  if (adds !== true) return { ...scripts, typecheck: 'tsc' };
  return Object.fromEntries(Object.entries(scripts).map(([name, line]) => [`flotilla:${name}`, line]));
}
