import { FlotillaError, isLegalId, type Problem, pointerToken } from '@flotilla/contracts';
import { exportsRules, RULES_EXPORT } from './classify-rules-of.ts';
import { type Handler, isHandler } from './define-step.ts';
import { defaultExportOf } from './module-exports.ts';

/** Names under which only Flotilla's own handlers go. */
const RESERVED_PREFIX = 'flotilla.';

interface Candidate {
  path: string;
  value: unknown;
}

/**
 * Collects the handlers of a module (its namespace object, as `import()` gives it). A default export that is a handler, an
 * array of handlers or an object with handlers is the list; so is what a CommonJS module exports. Else every named export that is
 * a handler counts. Functions, classes, constants and schemas beside them are left alone, but not in an array.
 * @throws FlotillaError `CONFIG_INVALID` with all problems at once; codes `NO_HANDLERS NOT_A_HANDLER ILLEGAL_NAME
 * RESERVED_NAME DUPLICATE_HANDLER`, paths into the module's exports.
 */
export function handlersOf(module: unknown): Handler[] {
  const problems: Problem[] = [];
  const byUse = new Map<string, { handler: Handler; path: string }>();
  for (const { path, value } of candidatesOf(module)) {
    if (!isHandler(value)) {
      problems.push({ code: 'NOT_A_HANDLER', path, message: notAHandler(value) });
      continue;
    }
    const nameProblem = problemOfName(value, path);
    if (nameProblem !== undefined) {
      problems.push(nameProblem);
      continue;
    }
    const known = byUse.get(value.use);
    if (known === undefined) {
      byUse.set(value.use, { handler: value, path });
    } else if (known.handler !== value) {
      problems.push({
        code: 'DUPLICATE_HANDLER',
        path,
        message: `${describe(value)} is defined at ${known.path} already`,
      });
    }
  }
  if (problems.length === 0 && byUse.size === 0 && !exportsRules(module)) {
    problems.push({
      code: 'NO_HANDLERS',
      path: '',
      message: 'the module exports no handler: export what defineStep or defineAgent returns',
    });
  }
  if (problems.length > 0) {
    const list = problems.map((problem) => `${problem.path || '/'}: ${problem.message}`).join('; ');
    throw new FlotillaError('CONFIG_INVALID', `the handlers cannot be used: ${list}`, { problems });
  }
  return [...byUse.values()].map(({ handler }) => handler);
}

function candidatesOf(module: unknown): Candidate[] {
  if (typeof module !== 'object' || module === null) return [];
  const main = defaultExportOf(module);
  const path = '/default';
  if (isHandler(main) || looksLikeHandler(main)) return [{ path, value: main }];
  if (Array.isArray(main)) return main.map((value: unknown, index) => ({ path: `${path}/${index}`, value }));
  const listed = typeof main === 'object' && main !== null ? namedIn(main, `${path}/`) : [];
  if (listed.length > 0) return listed;
  const named = namedIn(module, '/');
  // A default export that is nothing of all this was meant as the list.
  return named.length > 0 || main === undefined || isObject(main) ? named : [{ path, value: main }];
}

function namedIn(exports: object, prefix: string): Candidate[] {
  return Object.entries(exports)
    .filter(([name]) => name !== RULES_EXPORT)
    .map(([name, value]: [string, unknown]) => ({ path: `${prefix}${pointerToken(name)}`, value }))
    .filter(({ value }) => isHandler(value) || looksLikeHandler(value));
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** What was surely meant as a handler: leaving it out silently would show only when a step waits. */
function looksLikeHandler(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return false;
  const { name, capability, run } = value as { name?: unknown; capability?: unknown; run?: unknown };
  return typeof run === 'function' && (typeof name === 'string' || typeof capability === 'string');
}

function problemOfName(handler: Handler, path: string): Problem | undefined {
  for (const [what, name] of [
    ['name', handler.name],
    ['capability', handler.capability],
  ] as const) {
    if (what === 'capability' && handler.kind === 'step') continue;
    if (name === undefined) return { code: 'ILLEGAL_NAME', path, message: `the ${handler.kind} has no ${what}` };
    if (!isLegalId(name)) {
      const message = `the ${what} ${shown(name)} is not an id: 1 to 128 of A-Z a-z 0-9 . _ - that begins with a letter or digit`;
      return { code: 'ILLEGAL_NAME', path, message };
    }
    if (name.startsWith(RESERVED_PREFIX)) {
      return {
        code: 'RESERVED_NAME',
        path,
        message: `the ${what} ${name} begins with ${RESERVED_PREFIX}, which is reserved`,
      };
    }
  }
  return undefined;
}

function notAHandler(value: unknown): string {
  if (typeof value === 'function') return 'a plain function is not a handler: wrap it in defineStep or defineAgent';
  if (looksLikeHandler(value)) return 'an object with run is not a handler: pass it to defineStep or defineAgent';
  return `${value === null ? 'null' : `a value of type ${typeof value}`} is not a handler`;
}

function describe(handler: Handler): string {
  return handler.kind === 'agent'
    ? `an agent with the capability ${handler.capability}`
    : `a step handler named ${handler.name}`;
}

function shown(name: unknown): string {
  return typeof name === 'string' ? JSON.stringify(name.slice(0, 60)) : `of type ${typeof name}`;
}
