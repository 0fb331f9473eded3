import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from '../bootstrap/project-paths.mjs';

/**
 * @typedef {object} WorkspacePackage
 * @property {string} name
 * @property {string} folder relative to the project folder, with forward slashes
 * @property {Record<string, string>} dependencies as the manifest has them
 */

/** @returns {Map<string, WorkspacePackage>} by name */
export function workspacePackages() {
  const found = new Map();
  for (const top of ['packages', 'apps']) {
    for (const name of readdirSync(join(projectDir, top))) {
      const folder = `${top}/${name}`;
      const manifest = readManifest(folder);
      if (manifest === undefined) continue;
      found.set(manifest.name, { name: manifest.name, folder, dependencies: manifest.dependencies ?? {} });
    }
  }
  return found;
}

/**
 * The packages of the workspace that these need at run time, themselves first, and what all of them need from outside.
 * @param {readonly string[]} names
 * @param {Map<string, WorkspacePackage>} packages
 * @returns {{ inside: WorkspacePackage[], outside: Record<string, string> }} `outside`: names with their exact versions
 */
export function closureOf(names, packages) {
  const versions = catalog();
  const inside = new Map();
  const outside = {};
  const waiting = [...names];
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    if (inside.has(name)) continue;
    const found = packages.get(name);
    if (found === undefined) throw new Error(`there is no package ${name} in the workspace`);
    inside.set(name, found);
    for (const [dependency, range] of Object.entries(found.dependencies)) {
      if (range.startsWith('workspace:')) waiting.push(dependency);
      else outside[dependency] = range === 'catalog:' ? versionOf(dependency, versions) : range;
    }
  }
  const sorted = Object.fromEntries(Object.entries(outside).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { inside: [...inside.values()], outside: sorted };
}

function versionOf(name, versions) {
  const version = versions.get(name);
  if (version === undefined) throw new Error(`${name} is not in the catalog of pnpm-workspace.yaml`);
  return version;
}

/** The default catalog: one `name: version` a line. */
function catalog() {
  const text = readFileSync(join(projectDir, 'pnpm-workspace.yaml'), 'utf8');
  const block = /^catalog:\n((?:[ \t]+.*\n|\n)+)/m.exec(text)?.[1] ?? '';
  return new Map(
    [...block.matchAll(/^ +'?([^':\s]+)'?: *'?([^'\s]+)'?$/gm)].map(([, name, version]) => [name, version]),
  );
}

/** @param {string} folder relative to the project folder */
export function readManifest(folder) {
  try {
    return JSON.parse(readFileSync(join(projectDir, folder, 'package.json'), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  }
}
