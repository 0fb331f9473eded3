import { relative, resolve } from 'node:path';
import { CreateProblem, type Problem } from './create-problem.ts';
import { dependenciesOf } from './dependencies.ts';
import { planProject } from './plan-project.ts';
import { type Options, readOptions } from './read-options.ts';
import { FIRST_TEMPLATE, TEMPLATES, templateOf } from './templates.ts';
import type { Terminal } from './terminal.ts';
import { writeProject } from './write-project.ts';

const DEFAULT_FOLDER = 'my-flotilla';
/** What Flotilla needs of Node. */
const OLDEST_NODE = { major: 22, minor: 19 };
const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

interface Created {
  folder: string;
  template: string;
  files: string[];
}

/** Runs one command line and returns the exit code: 0 done, 1 the file system refused, 2 bad usage. Never throws. */
export async function runCreate(args: readonly string[], terminal: Terminal): Promise<number> {
  const { options, problems } = readOptions(args, terminal.env);
  if (options.help) {
    terminal.write(help());
    return EXIT.ok;
  }
  try {
    const created = await create(await answered(options, terminal), [...nodeProblems(terminal), ...problems], terminal);
    terminal.write(options.json ? `${JSON.stringify({ ok: true, ...created })}\n` : nextSteps(created, terminal.cwd));
    return EXIT.ok;
  } catch (error) {
    return tell(error, options, terminal);
  }
}

/** The options, with answers to what was not said. Nobody is asked with --yes, or where nobody can answer. */
async function answered(options: Options, terminal: Terminal): Promise<Options & { folder: string; template: string }> {
  const ask = options.yes || options.json ? undefined : terminal.ask;
  const template =
    options.template ??
    ((await ask?.(`Template (${Object.keys(TEMPLATES).join(', ')}) [${FIRST_TEMPLATE}]: `)) || FIRST_TEMPLATE);
  const usual = templateOf(template)?.adds === true ? '.' : DEFAULT_FOLDER;
  const folder = options.folder ?? ((await ask?.(`Folder [${usual}]: `)) || usual);
  return { ...options, folder, template };
}

async function create(
  { folder, template: name, packages }: Options & { folder: string; template: string },
  known: readonly Problem[],
  { cwd }: Terminal,
): Promise<Created> {
  const target = resolve(cwd, folder);
  const { dependencies, problems } = dependenciesOf(packages, { cwd, target });
  const template = templateOf(name);
  const plan =
    template === undefined
      ? { files: [], problems: [unknownTemplate(name)] }
      : planProject(target, { name, template, dependencies });
  const all = [...known, ...problems, ...plan.problems];
  if (all.length > 0) throw new CreateProblem(all);
  writeProject(target, plan.files);
  return { folder: target, template: name, files: plan.files.map(({ path }) => path) };
}

function unknownTemplate(name: string): Problem {
  const message = `there is no template ${JSON.stringify(name)}; there are ${Object.keys(TEMPLATES).join(', ')}`;
  return { code: 'UNKNOWN_TEMPLATE', path: '--template', message };
}

function nodeProblems({ nodeVersion }: Terminal): Problem[] {
  const [major = 0, minor = 0] = nodeVersion.replace(/^v/, '').split('.').map(Number);
  const { major: oldest, minor: oldestMinor } = OLDEST_NODE;
  if (major > oldest || (major === oldest && minor >= oldestMinor)) return [];
  const message = `Node ${oldest}.${oldestMinor} or later is needed; this is ${nodeVersion}`;
  return [{ code: 'NODE_TOO_OLD', path: '', message }];
}

function tell(error: unknown, { json }: Options, terminal: Terminal): number {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof CreateProblem)) {
    if (json) terminal.write(`${JSON.stringify({ error: { code: 'WRITE_FAILED', message } })}\n`);
    terminal.writeError(`create-flotilla: nothing was created: ${message}\n`);
    return EXIT.failed;
  }
  const { code, problems } = error;
  if (json) terminal.write(`${JSON.stringify({ error: { code, message, problems } })}\n`);
  terminal.writeError(`create-flotilla: ${message}\n`);
  for (const problem of problems) {
    terminal.writeError(`  ${problem.path === '' ? '' : `${problem.path}: `}${problem.message}\n`);
  }
  return EXIT.usage;
}

function nextSteps({ folder, template, files }: Created, cwd: string): string {
  const prefix = templateOf(template)?.adds === true ? 'flotilla:' : '';
  const way = relative(cwd, folder);
  return [
    `${files.length} files written to ${folder}`,
    '',
    ...(way === '' ? [] : [`  cd ${way}`]),
    '  npm install',
    `  npm run ${prefix}test`,
    `  npm run ${prefix}dev       # serves until Ctrl-C`,
    `  npm run ${prefix}start     # a run, in another terminal`,
    '',
  ].join('\n');
}

function help(): string {
  const names = Object.entries(TEMPLATES).map(([name, { description }]) => `  ${name.padEnd(16)}${description}`);
  return `npm create flotilla@latest [FOLDER] -- [options]

Makes a Flotilla project in a folder that is new or empty, or adds to one that you have.

  --template NAME    one of those below (default: ${FIRST_TEMPLATE})
  --packages FOLDER  install Flotilla's packages from tarballs in that folder and not from the registry
  --yes              ask nothing
  --json             answer in JSON; asks nothing
  --help             this

Templates:
${names.join('\n')}

Exit codes: 0 created, 1 a file could not be written, 2 bad usage. In the latter two nothing was created.
`;
}
