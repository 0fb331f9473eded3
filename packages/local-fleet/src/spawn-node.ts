import { fileURLToPath } from 'node:url';
import { type StartedProcess, startProcess } from './child-process.ts';
import { RUNS_FROM_SOURCES } from './own-module.ts';

const OWN_CONDITIONS: readonly string[] = RUNS_FROM_SOURCES ? ['@flotilla/source'] : [];

export interface SpawnNodeOptions {
  /** Added to the environment of this process; a value of undefined removes the variable. */
  env?: Record<string, string | undefined>;
  /** Export conditions. Default: `@flotilla/source` when this package runs from its sources, so that all others do as well. */
  conditions?: readonly string[];
  cwd?: string;
  /** Further options for node itself, before the file. */
  nodeArgs?: readonly string[];
  keepLines?: number;
}

/** Starts a file (path or file: URL) in a Node process of its own. It is killed when this process ends. */
export function spawnNode(
  file: string | URL,
  args: readonly string[] = [],
  { env = {}, conditions = OWN_CONDITIONS, cwd, nodeArgs = [], keepLines }: SpawnNodeOptions = {},
): Promise<StartedProcess> {
  const path = file instanceof URL || file.startsWith('file:') ? fileURLToPath(file) : file;
  const environment: NodeJS.ProcessEnv = { ...process.env, ...env };
  // Jest's own Node options (experimental modules) are not for the programs under test.
  if (env['NODE_OPTIONS'] === undefined) delete environment['NODE_OPTIONS'];
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete environment[name];
  return startProcess(
    process.execPath,
    [...conditions.map((condition) => `--conditions=${condition}`), ...nodeArgs, path, ...args],
    {
      env: environment,
      ...(cwd === undefined ? {} : { cwd }),
      ...(keepLines === undefined ? {} : { keepLines }),
    },
  );
}
