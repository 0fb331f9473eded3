import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from '../bootstrap/project-paths.mjs';

const guide = readFileSync(join(projectDir, 'docs', 'guides', 'own-project.md'), 'utf8');

/**
 * The command of the guide that begins so: what is tested is what users are told.
 * @param {string} beginning
 * @returns {string} the whole line
 */
export function guideCommand(beginning) {
  const line = blocks('sh')
    .flatMap((text) => text.split('\n'))
    .find((each) => each.startsWith(beginning));
  if (line === undefined) throw new Error(`the guide has no command that begins with "${beginning}"`);
  return line;
}

/**
 * The file of the guide, in JSON or YAML, that has this in it.
 * @param {string} part
 * @returns {string}
 */
export function guideFile(part) {
  const text = [...blocks('json'), ...blocks('yaml')].find((each) => each.includes(part));
  if (text === undefined) throw new Error(`the guide has no file with "${part}"`);
  return text;
}

function blocks(language) {
  return Array.from(guide.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm')), ([, text]) => text);
}
