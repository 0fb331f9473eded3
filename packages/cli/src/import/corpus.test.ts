import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compileWorkflow } from '@flotilla/engine';
import { describe, expect, test } from '@jest/globals';
import { plainName, readImportFile } from './read-import-file.ts';
import { importWfformat } from './wfformat.ts';

const root = resolve(import.meta.dirname, '../../../..');
const corpus = process.env['FLOTILLA_CORPUS'] ?? resolve(root, '../shared/corpus');

interface Listed {
  file: string;
  tasks: number;
  edges: number;
  depth: number;
  serialSeconds: number | undefined;
}

/** The table of task graphs in the corpus' README. */
function listedGraphs(): Listed[] {
  const row = /^\| (\S+\.json(?:\.gz)?) \| (?:1\.5|1\.4|adj) \|(.*)\|$/gm;
  const number = (cell = '') => Number(cell.replaceAll(',', ''));
  return [...readFileSync(join(corpus, 'README.md'), 'utf8').matchAll(row)].map(([, file = '', rest = '']) => {
    const [, tasks, edges, depth, , , , , serial] = rest.split('|').map((cell) => cell.trim());
    const serialSeconds = serial === '-' ? undefined : number(serial);
    return { file, tasks: number(tasks), edges: number(edges), depth: number(depth), serialSeconds };
  });
}

if (existsSync(join(corpus, 'README.md'))) {
  describe('the corpus of real workflow graphs', () => {
    const graphs = listedGraphs();

    test('lists 20 graphs with 5,130 tasks', () => {
      expect(graphs).toHaveLength(20);
      expect(graphs.reduce((sum, { tasks }) => sum + tasks, 0)).toBe(5130);
    });

    test.each(graphs)('imports $file with $tasks tasks and $edges edges', async (listed) => {
      const document = await readImportFile(join(corpus, listed.file), root);
      const imported = importWfformat(document, { timeScale: 1, fallbackName: plainName(listed.file) });
      expect({ tasks: imported.tasks, edges: imported.edges }).toEqual({ tasks: listed.tasks, edges: listed.edges });
      const compiled = compileWorkflow(imported.definition);
      if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
      expect(compiled.plan.steps).toHaveLength(listed.tasks);
      expect(compiled.plan.depth).toBe(listed.depth);
      const totalMs = Object.values(imported.definition.steps).reduce((sum, step) => {
        const { ms } = (step as unknown as { input: { ms: number } }).input;
        return sum + ms;
      }, 0);
      if (listed.serialSeconds !== undefined) expect(Math.abs(totalMs / 1000 - listed.serialSeconds)).toBeLessThan(1);
    });
  });
} else {
  test(`the corpus of real workflow graphs is not at ${corpus}: only the Montage example is read`, async () => {
    const file = join(root, 'examples/montage/montage-chameleon-2mass-005d-001.json.gz');
    const { tasks, edges } = importWfformat(await readImportFile(file, root), {
      timeScale: 1,
      fallbackName: 'montage',
    });
    expect({ tasks, edges }).toEqual({ tasks: 58, edges: 114 });
  });
}
