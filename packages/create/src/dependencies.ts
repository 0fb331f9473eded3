import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, resolve, sep } from 'node:path';
import type { Problem } from './create-problem.ts';

/** Those of Flotilla, and of what else a project needs; the latter as the workspace has them, within the major. */
const OWN_PACKAGES = ['flotilla', '@flotilla/steps'] as const;
export const ZOD = { zod: '^4.6.7' } as const;
export const COMPILER = { '@types/node': '^24.19.2', typescript: '^7.0.2' } as const;

/**
 * The dependencies of a created project.
 * @param packages folder with tarballs, as it was given; undefined takes the registry's, of the version of this package
 */
export function dependenciesOf(
  packages: string | undefined,
  { cwd, target }: { cwd: string; target: string },
): { dependencies: Record<string, string>; problems: Problem[] } {
  const dependencies: Record<string, string> = {};
  const problems: Problem[] = [];
  for (const name of OWN_PACKAGES) {
    const from = packages === undefined ? `^${ownVersion()}` : fileOf(name, resolve(cwd, packages), target);
    if (from !== undefined) dependencies[name] = from;
    else problems.push({ code: 'NO_PACKAGES', path: packages ?? '', message: `there is no tarball of ${name} in it` });
  }
  return { dependencies: { ...dependencies, ...ZOD }, problems };
}

/** The newest tarball is not guessed: `npm run pack` leaves one of each. */
function fileOf(name: string, folder: string, target: string): string | undefined {
  const start = name.replace('@', '').replace('/', '-');
  const pattern = new RegExp(`^${start}-\\d.*\\.tgz$`);
  const file = filesIn(folder).find((each) => pattern.test(each));
  if (file === undefined) return undefined;
  const path = relative(target, join(folder, file)).split(sep).join(posix.sep);
  return `file:${path}`;
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Told as a folder without them.
  }
}

function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version;
}
