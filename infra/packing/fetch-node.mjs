import { join } from 'node:path';
import { announce } from '../bootstrap/announce.mjs';
import { capture, isExecutable } from '../bootstrap/run-program.mjs';

/**
 * Another version of Node, as the package that npm has of it.
 * @param {string} version
 * @param {string} folder an empty one
 * @returns {Promise<string | undefined>} the folder that its `node` is in; undefined, with a word, where there is none
 */
export async function fetchNode(version, folder) {
  const name = `node-${process.platform}-${process.arch}`;
  const { code, stderr } = await capture(
    'npm',
    ['install', '--prefix', folder, '--no-save', '--prefer-offline', '--no-audit', '--no-fund', `${name}@${version}`],
    { cwd: folder },
  );
  const bin = join(folder, 'node_modules', name, 'bin');
  if (code === 0 && isExecutable(join(bin, 'node'))) return bin;
  announce(`Node ${version} cannot be fetched and is not tested: ${stderr.trim().split('\n').at(-1)}`);
  return undefined;
}
