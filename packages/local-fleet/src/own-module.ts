import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `.ts` when this package runs from its sources, `.js` when it is compiled. */
const EXTENSION = extname(fileURLToPath(import.meta.url));
/** The checkout or the installed package: this module is packages/local-fleet/{src,dist}/own-module.*. */
export const PROJECT_FOLDER = join(import.meta.dirname, '..', '..', '..');

export type ProgramName = 'scheduler' | 'worker';

/** Whether this package, and with it every process that it starts, runs from its sources. */
export const RUNS_FROM_SOURCES = EXTENSION === '.ts';

/**
 * Path of a module that belongs to the caller, for a process of its own or for the handlers of a worker.
 * @param path relative to the caller, without its extension: that of the caller itself is added
 * @param callerUrl `import.meta.url` of the caller
 */
export function ownModule(path: string, callerUrl: string): string {
  return fileURLToPath(new URL(`${path}${extname(fileURLToPath(callerUrl))}`, callerUrl));
}

/** The module that a program begins with: compiled when this package is, else the source. */
export function programFile(name: ProgramName): string {
  return join(PROJECT_FOLDER, 'apps', name, RUNS_FROM_SOURCES ? 'src' : 'dist', `main${EXTENSION}`);
}
