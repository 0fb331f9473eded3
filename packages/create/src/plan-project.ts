import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Problem } from './create-problem.ts';
import { extendedManifest, newManifest } from './manifest.ts';
import type { Template } from './templates.ts';

/** A file to write, by its path in the project. */
export interface PlannedFile {
  path: string;
  text: string;
  /** Stands there already and is written anew. */
  replaces?: boolean;
}

export interface ProjectPlan {
  files: PlannedFile[];
  problems: Problem[];
}

const templatesFolder = fileURLToPath(new URL('../templates', import.meta.url));
/** `git init` comes first for many. */
const NOT_IN_THE_WAY = new Set(['.git']);

interface Wanted {
  name: string;
  template: Template;
  dependencies: Record<string, string>;
}

/** What a project in the folder `target` consists of, and why it cannot be. Writes nothing. */
export function planProject(target: string, wanted: Wanted): ProjectPlan {
  const kind = kindOf(target);
  if (kind === 'file') return refused('NOT_A_FOLDER', target, 'it is a file');
  return wanted.template.adds === true ? planAddition(target, wanted) : planNew(target, kind, wanted);
}

function planNew(target: string, kind: 'folder' | 'nothing', { name, template, dependencies }: Wanted): ProjectPlan {
  const found = kind === 'folder' ? readdirSync(target).filter((each) => !NOT_IN_THE_WAY.has(each)) : [];
  if (found.length > 0) {
    const message = `it has files (${listed(found)}); give another folder, or add to a project with --template existing`;
    return refused('FOLDER_NOT_EMPTY', target, message);
  }
  const manifest = { path: 'package.json', text: newManifest(target, template, dependencies) };
  return { files: [manifest, ...filesOf('new'), ...filesOf(name)], problems: [] };
}

function planAddition(target: string, { name, template, dependencies }: Wanted): ProjectPlan {
  const path = join(target, 'package.json');
  if (!existsSync(path)) return refused('NO_PROJECT', target, 'it has no package.json; "npm init" makes one');
  const files = filesOf(name);
  const { text, problems } = extendedManifest(readFileSync(path, 'utf8'), template, dependencies);
  const taken = files.filter((file) => existsSync(join(target, file.path)));
  return {
    // The manifest last: without the files its scripts would lead nowhere.
    files: [...files, { path: 'package.json', text, replaces: true }],
    problems: [
      ...problems,
      ...taken.map((file): Problem => ({ code: 'NAME_TAKEN', path: file.path, message: 'there is such a file' })),
    ],
  };
}

/** The files of a template, sorted by path. npm packs no file named .gitignore, so templates have it without the dot. */
function filesOf(name: string): PlannedFile[] {
  const folder = join(templatesFolder, name);
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return paths
    .filter((path) => statSync(join(folder, path)).isFile())
    .map((path) => ({
      path: path === 'gitignore' ? '.gitignore' : path,
      text: readFileSync(join(folder, path), 'utf8'),
    }));
}

function kindOf(target: string): 'folder' | 'file' | 'nothing' {
  const found = statSync(target, { throwIfNoEntry: false });
  if (found === undefined) return 'nothing';
  return found.isDirectory() ? 'folder' : 'file';
}

function refused(code: Problem['code'], path: string, message: string): ProjectPlan {
  return { files: [], problems: [{ code, path, message }] };
}

function listed(names: readonly string[]): string {
  const shown = 3;
  return names.length <= shown
    ? names.join(', ')
    : `${names.slice(0, shown).join(', ')} and ${names.length - shown} more`;
}
