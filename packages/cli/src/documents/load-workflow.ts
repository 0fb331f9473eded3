import { existsSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describeLoadError } from '@flotilla/contracts';
import { CliProblem } from '../cli-problem.ts';
import { parseJson } from './parse-json.ts';
import { parseYaml } from './parse-yaml.ts';
import { MAX_TEXT_BYTES, readTextFile } from './read-text-file.ts';

const YAML_EXTENSIONS: ReadonlySet<string> = new Set(['.yaml', '.yml']);
/** Of files that are code, not text with lines. */
export const MODULE_EXTENSIONS: ReadonlySet<string> = new Set(['.ts', '.mts', '.js', '.mjs']);

/** A module that has not been loaded by then awaits something that never settles. */
const LOAD_LIMIT_MS = 20_000;

/** Whether an argument means a file, rather than the name of a workflow that the scheduler has. */
export function meansFile(argument: string, cwd: string): boolean {
  if (/[/\\]/.test(argument)) return true;
  const extension = extname(argument).toLowerCase();
  if (extension === '.json' || YAML_EXTENSIONS.has(extension) || MODULE_EXTENSIONS.has(extension)) return true;
  return existsSync(resolve(cwd, argument));
}

/**
 * The document in a file: YAML, JSON, or the default export of a TypeScript or JavaScript module. Whether it is a
 * workflow is the compiler's to say.
 * @throws CliProblem with what is wrong with the file.
 */
export async function loadWorkflow(file: string, cwd: string): Promise<object> {
  const path = resolve(cwd, file);
  const extension = extname(path).toLowerCase();
  if (MODULE_EXTENSIONS.has(extension)) return requireObject(await importDefault(path, file, cwd), file);
  const text = await readTextFile(path, MAX_TEXT_BYTES);
  // YAML is a superset of JSON, but its errors for JSON are not the ones that one expects.
  const isJson = extension === '.json' || (!YAML_EXTENSIONS.has(extension) && /^\s*[[{]/.test(text));
  return requireObject(isJson ? parseJson(text, file) : parseYaml(text, file), file);
}

/** Said here in the words of a file; everything else is the compiler's to say, with its paths. */
function requireObject(document: unknown, file: string): object {
  if (typeof document === 'object' && document !== null && !Array.isArray(document)) return document;
  const what = Array.isArray(document) ? 'a list' : document === null ? 'nothing' : `a ${typeof document}`;
  throw new CliProblem('DEFINITION_INVALID', `${file} holds ${what}, not a workflow`);
}

async function importDefault(path: string, file: string, cwd: string): Promise<unknown> {
  if (!existsSync(path)) throw new CliProblem('FILE_NOT_FOUND', `there is no file ${file}`);
  let module: { default?: unknown };
  try {
    module = (await withinLimit(import(pathToFileURL(path).href))) as { default?: unknown };
  } catch (error) {
    throw new CliProblem('MODULE_FAILED', `${file} cannot be loaded: ${describeLoadError(error, cwd)}`, {
      cause: error,
    });
  }
  if (module.default === undefined) {
    throw new CliProblem('MODULE_FAILED', `${file} has no default export`, {
      hint: 'export default defineWorkflow({ … })',
    });
  }
  return module.default;
}

async function withinLimit(loading: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new Error(`not loaded after ${LOAD_LIMIT_MS / 1000} s; an await at its top level may never settle`);
    timer = setTimeout(() => reject(error), LOAD_LIMIT_MS);
  });
  try {
    return await Promise.race([loading, late]);
  } finally {
    clearTimeout(timer);
  }
}
