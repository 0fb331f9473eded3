import { type ClassifyRule, describeLoadError, FlotillaError, type Problem } from '@flotilla/contracts';
import { builtInHandlers, classifyRulesOf, type Handler, handlersOf } from '@flotilla/steps';
import { findSyntaxError } from './find-syntax-error.ts';
import { importModule } from './import-module.ts';

export interface LoadedModules {
  /** By what steps call them. */
  handlers: Map<string, Handler>;
  /** In the order of the modules: the first that answers wins. */
  classifyRules: ClassifyRule[];
}

/**
 * The built-in handlers and those of the given modules (paths or package names), and the modules' rules for errors. Each
 * module may take `limitMs` to load.
 * CONFIG_INVALID names every module that cannot be loaded and every handler that is wrong or defined twice.
 */
export async function loadHandlers(modules: readonly string[], limitMs: number): Promise<LoadedModules> {
  const handlers = new Map<string, Handler>(builtInHandlers().map((handler) => [handler.use, handler]));
  const classifyRules: ClassifyRule[] = [];
  const problems: Problem[] = [];
  for (const name of modules) {
    try {
      const module: unknown = await importModule(name, limitMs);
      classifyRules.push(...classifyRulesOf(module));
      for (const handler of handlersOf(module)) {
        if (handlers.has(handler.use)) {
          problems.push({ code: 'DUPLICATE_HANDLER', path: `/${name}`, message: `${handler.use} is defined twice` });
        }
        handlers.set(handler.use, handler);
      }
    } catch (error) {
      if (error instanceof FlotillaError) problems.push(...error.problems);
      const message = describeFailure(name, error);
      problems.push({ code: 'HANDLERS_NOT_LOADED', path: `/${name}`, message: `${name}: ${message}` });
    }
  }
  if (problems.length > 0) {
    const lines = problems.map(({ message }) => `  ${message}`);
    throw new FlotillaError('CONFIG_INVALID', `The handlers cannot be used:\n${lines.join('\n')}`, { problems });
  }
  return { handlers, classifyRules };
}

function describeFailure(name: string, error: unknown): string {
  if (error instanceof FlotillaError) return error.message;
  const message = describeLoadError(error, process.cwd());
  // Errors of another realm, as in tests, are no instances of ours.
  const isUnplaced = (error as Error | null)?.name === 'SyntaxError' && !/, line \d+\)$/.test(message);
  const place = isUnplaced ? findSyntaxError(name) : undefined;
  return place === undefined ? message : `${message} (${place})`;
}
