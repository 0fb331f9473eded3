import { type ClassifyRule, FlotillaError, type Problem } from '@flotilla/contracts';

/** The named export of a handler module that holds its rules. */
export const RULES_EXPORT = 'classifyRules';

/**
 * The rules that a module exports as `classifyRules`: a list of functions that are asked about every error that a handler
 * of the worker throws, in order, before anything else is.
 * @throws FlotillaError `CONFIG_INVALID` (`NOT_A_RULE`) when the export is something else.
 */
export function classifyRulesOf(module: unknown): ClassifyRule[] {
  if (!exportsRules(module)) return [];
  const rules: unknown = module[RULES_EXPORT];
  if (Array.isArray(rules) && rules.every((rule) => typeof rule === 'function')) return [...(rules as ClassifyRule[])];
  const message = `${RULES_EXPORT} must be a list of functions`;
  const problems: Problem[] = [{ code: 'NOT_A_RULE', path: `/${RULES_EXPORT}`, message }];
  throw new FlotillaError('CONFIG_INVALID', message, { problems });
}

/** True when a module registers rules: it then needs no handler. */
export function exportsRules(module: unknown): module is Record<typeof RULES_EXPORT, unknown> {
  return typeof module === 'object' && module !== null && RULES_EXPORT in module;
}
