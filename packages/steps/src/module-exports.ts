/**
 * The default export of a module's namespace object; undefined when it has none. A CommonJS module that was compiled from
 * `export default` has its own inside what it exports.
 */
export function defaultExportOf(module: object): unknown {
  const { default: main } = module as { default?: unknown };
  return isCompiled(main) && 'default' in main ? main.default : main;
}

/** An export, also where Node found no name for it because a CommonJS module computes what it exports. */
export function findExport(module: object, name: string): { value: unknown } | undefined {
  if (name in module) return { value: (module as Record<string, unknown>)[name] };
  const { default: main } = module as { default?: unknown };
  const isOne = typeof main === 'object' && main !== null && !Array.isArray(main) && Object.hasOwn(main, name);
  return isOne ? { value: (main as Record<string, unknown>)[name] } : undefined;
}

function isCompiled(value: unknown): value is object {
  return typeof value === 'object' && value !== null && '__esModule' in value;
}
