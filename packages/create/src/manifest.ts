import { basename } from 'node:path';
import type { Problem } from './create-problem.ts';
import { COMPILER } from './dependencies.ts';
import { scriptsOf, type Template } from './templates.ts';

type Names = Record<string, string>;

/** The package.json of a new project. */
export function newManifest(target: string, template: Template, dependencies: Names): string {
  return jsonOf({
    name: packageName(basename(target)),
    version: '0.1.0',
    private: true,
    type: 'module',
    scripts: scriptsOf(template),
    dependencies,
    devDependencies: COMPILER,
    engines: { node: '>=22.19' },
  });
}

/**
 * The package.json of a project that there is, with what is missing in it. What it has stays: dependencies with their versions,
 * in either list, and a script of the same name and line. A script of the same name and another line is a problem.
 */
export function extendedManifest(
  text: string,
  template: Template,
  dependencies: Names,
): { text: string; problems: Problem[] } {
  const manifest = objectOf(text);
  if (manifest === undefined) return { text, problems: [unreadable('it is not a JSON object')] };
  const parts = [manifest['scripts'], manifest['dependencies'], manifest['devDependencies']].map(namesOf);
  const [scripts, has, hasForWork] = parts;
  if (scripts === undefined || has === undefined || hasForWork === undefined) {
    return { text, problems: [unreadable('scripts, dependencies and devDependencies have to be objects')] };
  }
  const added = scriptsOf(template);
  const problems = Object.entries(added).flatMap(([name, line]): Problem[] =>
    scripts[name] === undefined || scripts[name] === line
      ? []
      : [{ code: 'NAME_TAKEN', path: 'package.json', message: `it has another script ${name}` }],
  );
  const missing = Object.entries(dependencies).filter(([name]) => hasForWork[name] === undefined);
  const extended = {
    ...manifest,
    scripts: { ...scripts, ...added },
    dependencies: sorted({ ...Object.fromEntries(missing), ...has }),
  };
  return { text: jsonOf(extended, indentOf(text)), problems };
}

/** As npm takes it: lower case, no spaces, nothing that a URL would have to escape. */
function packageName(folder: string): string {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9._~-]+/g, '-')
    .replace(/^[._-]+|-+$/g, '');
  return name === '' ? 'my-flotilla' : name;
}

function unreadable(message: string): Problem {
  return { code: 'MANIFEST_UNREADABLE', path: 'package.json', message };
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    // Some editors write a byte order mark; npm takes it, too.
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined when it is something else; none is empty. */
function namesOf(value: unknown): Record<string, unknown> | undefined {
  if (value === undefined) return {};
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

function sorted(names: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(names).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function indentOf(text: string): string {
  return /\n([ \t]+)"/.exec(text)?.[1] ?? '  ';
}

function jsonOf(value: unknown, indent = '  '): string {
  return `${JSON.stringify(value, undefined, indent)}\n`;
}
