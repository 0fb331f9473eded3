import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from '../bootstrap/project-paths.mjs';
import { capture } from '../bootstrap/run-program.mjs';

const toolsFolder = join(projectDir, 'node_modules', '.bin');
const DEPENDENCY_FIELDS = ['dependencies', 'optionalDependencies', 'peerDependencies', 'devDependencies'];

/**
 * Looks at each tarball as whoever publishes it should: nothing of the workspace is left in its manifest, it has its
 * licence, and what it exports is found and typed in every way of importing it.
 * @param {readonly string[]} tarballs
 * @param {{ node: string, work: string }} options `work`: a folder to unpack into
 */
export async function judgeTarballs(tarballs, { node, work }) {
  for (const tarball of tarballs) {
    const folder = join(work, tarball.replace(/^.*\//, ''));
    mkdirSync(folder, { recursive: true });
    await must('tar', ['--extract', '--gzip', '--file', tarball, '--directory', folder]);
    const files = readdirSync(join(folder, 'package'), { recursive: true });
    const manifest = JSON.parse(readFileSync(join(folder, 'package', 'package.json'), 'utf8'));
    judgeManifest(manifest);
    assert.ok(files.includes('LICENSE'), `${manifest.name} has no LICENSE`);
    const own = files.filter((file) => !file.startsWith('templates/'));
    const sources = own.filter((file) => /(^|\/)src\/|\.test\.|\.tsbuildinfo$/.test(file));
    assert.deepEqual(sources, [], `${manifest.name} has files that are for checkouts`);
    await must(node, [join(toolsFolder, '..', 'publint', 'src', 'cli.js'), '--strict', tarball]);
    // The program is run and not imported.
    if (manifest.main !== undefined) await must(join(toolsFolder, 'attw'), [tarball, '--no-color']);
  }
}

function judgeManifest(manifest) {
  for (const field of DEPENDENCY_FIELDS) {
    for (const [name, range] of Object.entries(manifest[field] ?? {})) {
      const where = `${manifest.name} needs ${name} as "${range}"`;
      assert.doesNotMatch(range, /^(workspace|catalog|file|link):/, where);
      assert.doesNotMatch(name, /^@flotilla\//, where);
    }
  }
  for (const field of ['name', 'version', 'license', 'engines', 'exports']) {
    assert.notEqual(manifest[field], undefined, `${manifest.name} has no "${field}"`);
  }
}

async function must(program, args) {
  const { code, stdout, stderr, problem } = await capture(program, args, { timeoutMs: 60_000 });
  assert.equal(code, 0, `${program} ${args.join(' ')}: ${problem ?? ''}\n${stdout}${stderr}`);
}
