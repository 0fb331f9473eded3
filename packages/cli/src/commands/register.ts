import type { FlotillaClient, RegisteredWorkflow } from '@flotilla/client';
import { isFlotillaError, type Problem } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import { Command } from 'commander';
import { CliProblem } from '../cli-problem.ts';
import { COMMAND } from '../command-name.ts';
import { connectScheduler } from '../connect-scheduler.ts';
import { loadWorkflow } from '../documents/load-workflow.ts';
import { withLines } from '../documents/problem-lines-of-file.ts';
import { EXIT } from '../exit-codes.ts';
import { plainText } from '../plain-text.ts';
import { printJson, printLine } from '../print-table.ts';
import type { Action } from '../program.ts';
import { problemLines } from '../report-error.ts';
import type { Terminal } from '../terminal.ts';
import { type RemoteOptions, withRemote } from './common-options.ts';

/** A file on its way to the scheduler. */
interface Candidate {
  file: string;
  document: object | undefined;
  plan: Plan | undefined;
  problems: readonly Problem[];
  registered: RegisteredWorkflow | undefined;
}

export function registerCommand(terminal: Terminal, exit: Action): Command {
  return withRemote(new Command('register'))
    .description('register workflows, so that runs of them can be started by name')
    .argument('<files...>', 'YAML, JSON, or TypeScript or JavaScript modules')
    .action(async (files: readonly string[], options: RemoteOptions) => {
      const candidates = await register(files, options, terminal);
      const ok = candidates.every(isSound);
      if (options.json) printJson(terminal, { ok, workflows: candidates.map(answerOf) });
      else tell(terminal, candidates, ok);
      exit(ok ? EXIT.ok : EXIT.usage);
    });
}

/** Everything is checked before anything is registered: with a problem in one file none of them is. */
async function register(
  files: readonly string[],
  options: RemoteOptions,
  terminal: Terminal,
): Promise<readonly Candidate[]> {
  const loaded = await Promise.all([...new Set(files)].map((file) => load(file, terminal.cwd)));
  let candidates = refuseDoubles(loaded);
  if (!candidates.every(isSound)) return candidates;
  const client = connectScheduler(terminal, options);
  // What only the scheduler can say: whether it can check inputs against the schema, and what its workers can do.
  candidates = await Promise.all(candidates.map((candidate) => askScheduler(candidate, client)));
  if (!candidates.every(isSound)) return candidates;
  const answers: Candidate[] = [];
  for (const candidate of candidates) answers.push(await send(candidate, client));
  return answers;
}

async function load(file: string, cwd: string): Promise<Candidate> {
  const candidate: Candidate = { file, document: undefined, plan: undefined, problems: [], registered: undefined };
  try {
    const document = await loadWorkflow(file, cwd);
    const { compileWorkflow } = await import('@flotilla/engine');
    const compiled = compileWorkflow(document);
    if (!compiled.ok) return { ...candidate, problems: await withLines(compiled.problems, file, cwd) };
    return { ...candidate, document, plan: compiled.plan, problems: await withLines(compiled.warnings, file, cwd) };
  } catch (error) {
    if (!(error instanceof CliProblem)) throw error;
    const { code, message, problems } = error;
    return { ...candidate, problems: problems.length > 0 ? problems : [{ code, path: '', message }] };
  }
}

/** Two contents for one name and version: the second would be refused when the first is registered already. */
function refuseDoubles(candidates: readonly Candidate[]): Candidate[] {
  const first = new Map<string, Candidate>();
  return candidates.map((candidate) => {
    if (candidate.plan === undefined) return candidate;
    const { definition, hash } = candidate.plan;
    const { name, version } = definition;
    const known = first.get(`${name}@${version ?? ''}`);
    if (known === undefined) first.set(`${name}@${version ?? ''}`, candidate);
    if (known === undefined || known.plan?.hash === hash) return candidate;
    const message = `${nameOf(name, version)} is in ${known.file} too, with another content`;
    return {
      ...candidate,
      problems: [...candidate.problems, { code: 'WORKFLOW_VERSION_CONFLICT', path: '/version', message }],
    };
  });
}

async function askScheduler(candidate: Candidate, client: FlotillaClient): Promise<Candidate> {
  const { problems } = await client.validate(candidate.document);
  return { ...candidate, problems };
}

/** A version that is taken is this file's problem; that the scheduler cannot be reached is everybody's. */
async function send(candidate: Candidate, client: FlotillaClient): Promise<Candidate> {
  try {
    return { ...candidate, registered: await client.registerWorkflow(candidate.document as object) };
  } catch (error) {
    if (!isFlotillaError(error) || error.code !== 'WORKFLOW_VERSION_CONFLICT') throw error;
    const problem = { code: error.code, path: '/version', message: error.message };
    return { ...candidate, problems: [...candidate.problems, problem] };
  }
}

function isSound({ problems }: Candidate): boolean {
  return problems.every(({ severity }) => severity === 'warning');
}

function answerOf({ file, plan, problems, registered }: Candidate): Record<string, unknown> {
  const { name, version } = plan?.definition ?? {};
  return {
    file,
    ...(name === undefined ? {} : { name }),
    ...(version === undefined ? {} : { version }),
    ...(registered === undefined ? {} : { definitionHash: registered.definitionHash, created: registered.created }),
    problems,
  };
}

function tell(terminal: Terminal, candidates: readonly Candidate[], ok: boolean): void {
  for (const candidate of candidates) {
    const { file, problems, registered } = candidate;
    for (const line of problemLines(problems)) terminal.writeError(`flotilla: ${plainText(file)}: ${line}\n`);
    if (registered === undefined) continue;
    const how = registered.created ? 'registered' : 'was registered before with this content';
    printLine(terminal, plainText(`${nameOf(registered.name, registered.version)} ${how}`));
  }
  if (ok) {
    const [first] = candidates;
    printLine(terminal, plainText(`start a run with: ${COMMAND} run ${first?.registered?.name}`));
  } else if (candidates.every(({ registered }) => registered === undefined)) {
    terminal.writeError('flotilla: nothing was registered\n');
  }
}

function nameOf(name: string, version: string | undefined): string {
  return version === undefined ? name : `${name}@${version}`;
}
