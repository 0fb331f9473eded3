import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FlotillaError, type Problem } from '@flotilla/contracts';
import { builtInHandlers, type Handler, handlersOf } from '@flotilla/steps';

/**
 * The built-in handlers and those of the given modules (paths or package names), by what steps call them.
 * CONFIG_INVALID names every module that cannot be loaded and every handler that is wrong or defined twice.
 */
export async function loadHandlers(modules: readonly string[]): Promise<Map<string, Handler>> {
  const handlers = new Map<string, Handler>(builtInHandlers().map((handler) => [handler.use, handler]));
  const problems: Problem[] = [];
  for (const name of modules) {
    try {
      const module: unknown = await import(specifierOf(name));
      for (const handler of handlersOf(module)) {
        if (handlers.has(handler.use)) {
          problems.push({ code: 'DUPLICATE_HANDLER', path: `/${name}`, message: `${handler.use} is defined twice` });
        }
        handlers.set(handler.use, handler);
      }
    } catch (error) {
      if (error instanceof FlotillaError) problems.push(...error.problems);
      const message = error instanceof Error ? error.message : String(error);
      problems.push({ code: 'HANDLERS_NOT_LOADED', path: `/${name}`, message: `${name}: ${message}` });
    }
  }
  if (problems.length > 0) {
    const lines = problems.map(({ message }) => `  ${message}`);
    throw new FlotillaError('CONFIG_INVALID', `The handlers cannot be used:\n${lines.join('\n')}`, { problems });
  }
  return handlers;
}

function specifierOf(name: string): string {
  const isPath = name.startsWith('.') || isAbsolute(name) || /\.[cm]?[jt]s$/.test(name);
  return isPath ? pathToFileURL(resolve(name)).href : name;
}
