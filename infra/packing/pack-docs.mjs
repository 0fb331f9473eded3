import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from '../bootstrap/project-paths.mjs';

/** What users read; decisions and regressions are for those who change Flotilla. */
const FOLDERS = ['guides', 'reference'];
const FILES = ['guarantees.md'];

/**
 * The pages for users in the folder `docs` of a package, and `llms.txt`, which lists them.
 * @param {string} folder
 */
export function packDocs(folder) {
  for (const part of [...FOLDERS, ...FILES]) {
    cpSync(join(projectDir, 'docs', part), join(folder, 'docs', part), { recursive: true });
  }
  for (const name of ['README.md', 'CHANGELOG.md']) cpSync(join(projectDir, name), join(folder, name));
  const pages = readdirSync(join(folder, 'docs'), { recursive: true })
    .filter((file) => file.endsWith('.md'))
    .sort();
  const lines = pages.map((page) => `- [${titleOf(join(folder, 'docs', page))}](docs/${page})`);
  writeFileSync(join(folder, 'llms.txt'), `# Flotilla\n\nThe pages of this very version.\n\n${lines.join('\n')}\n`);
}

function titleOf(file) {
  return /^# (.+)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? file;
}
