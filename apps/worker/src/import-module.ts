import { writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { noteImport } from './imported-files.ts';

/** Exit code of a process whose configuration is wrong. */
const BAD_CONFIG_EXIT = 2;
/** What handlers import even where nothing is installed beside them, as in an image that they were copied into. */
const OWN_PACKAGES: ReadonlyMap<string, () => string> = new Map([
  ['@flotilla/steps', () => import.meta.resolve('@flotilla/steps')],
  ['zod', () => import.meta.resolve('zod')],
]);
const NOT_FOUND: ReadonlySet<unknown> = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']);

/** Names of packages that were asked for, which are looked for in the folder of the user and not in ours. */
const asked = new Set<string>();
let isHooked = false;

/**
 * Imports a module of the user's: a path or the name of a package, both from the current folder. Rejects when it has not been
 * loaded after `limitMs`. A module that ends the process has it end with 2 and its name on stderr.
 */
export async function importModule(name: string, limitMs: number): Promise<unknown> {
  resolveForUsers();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const message = `not loaded after ${limitMs} ms (FLOTILLA_HANDLERS_LOAD_MS); an await at its top level may never settle`;
    timer = setTimeout(() => reject(new Error(message)), limitMs);
  });
  const onExit = () => {
    writeSync(2, `worker: The handlers cannot be used:\n  ${name}: the module ended the process while it was loaded\n`);
    process.exitCode = BAD_CONFIG_EXIT;
  };
  process.once('exit', onExit);
  try {
    return await Promise.race([import(specifierOf(name)), late]);
  } finally {
    clearTimeout(timer);
    process.off('exit', onExit);
  }
}

function specifierOf(name: string): string {
  const isPath = name.startsWith('.') || isAbsolute(name) || /\.[cm]?[jt]s$/.test(name);
  if (isPath) return pathToFileURL(resolve(name)).href;
  asked.add(name);
  return name;
}

/** Packages are looked for where the user is; what handlers usually need is found wherever they are. */
function resolveForUsers(): void {
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve: (specifier, context, next) => {
      const isAsked = asked.has(specifier) && context.parentURL === import.meta.url;
      const ownPackage = OWN_PACKAGES.get(specifier);
      if (!isAsked && ownPackage === undefined) {
        const found = next(specifier, context);
        noteImport(found.url);
        return found;
      }
      const parentURL = isAsked ? pathToFileURL(join(process.cwd(), 'handlers.js')).href : context.parentURL;
      try {
        return next(specifier, { ...context, parentURL });
      } catch (error) {
        if (ownPackage === undefined || !NOT_FOUND.has((error as NodeJS.ErrnoException).code)) throw error;
        // Not by `next`: for a CommonJS module it looks beside that module again.
        return { url: ownPackage(), shortCircuit: true };
      }
    },
  });
}
