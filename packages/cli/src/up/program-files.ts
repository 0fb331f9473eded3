import { existsSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { CliProblem } from '../cli-problem.ts';

/** The checkout or the installed package: packages/cli/{src,dist}/up/program-files.* is four folders below it. */
export const projectFolder = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..');
/** Where the logs of what `up` starts go, unless FLOTILLA_LOGS says otherwise. */
export const defaultLogFolder = join(projectFolder, '.flotilla', 'logs');
export const montageFile = join(projectFolder, 'examples', 'montage', 'montage-chameleon-2mass-005d-001.json.gz');

/** When the command runs from its sources, so does what it starts. */
const extension = extname(fileURLToPath(import.meta.url));
const outputFolder = extension === '.ts' ? 'src' : 'dist';

export type App = 'scheduler' | 'worker' | 'dashboard';

/**
 * The module that an app begins with.
 * @throws CliProblem `NOT_BUILT`
 */
export function programFile(app: App): string {
  const file = join(projectFolder, 'apps', app, outputFolder, `main${extension}`);
  if (!existsSync(file)) {
    throw new CliProblem('NOT_BUILT', `${file} is missing`, { hint: 'build it with: npx pnpm build', exitCode: 1 });
  }
  return file;
}

/**
 * Arguments for Node that start one of the apps.
 * @throws CliProblem `NOT_BUILT`
 */
export function programArguments(app: App): string[] {
  const file = programFile(app);
  const preload = join(projectFolder, 'packages', 'cli', outputFolder, 'up', `end-with-parent${extension}`);
  // Node takes a URL here: as a path, `#`, `%` or `?` in the name of a folder would mean something else.
  return [...ownConditions(), `--import=${pathToFileURL(preload).href}`, file];
}

/** The conditions of this process, so that what it starts finds packages where it does: in their sources, or compiled. */
export function ownConditions(): string[] {
  return process.execArgv.filter((argument) => argument.startsWith('--conditions'));
}
