import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { importWfformat, plainName, readImportFile } from '@flotilla/cli';
import type { WorkflowDefinition } from '@flotilla/contracts';
import type { ReplayedGraph } from '@flotilla/testing';

const root = resolve(import.meta.dirname, '../..');
/** The collection of real task graphs, where it is present. */
export const corpusFolder = process.env['FLOTILLA_CORPUS'] ?? resolve(root, '../shared/corpus');
export const montageFile = join(root, 'examples/montage/montage-chameleon-2mass-005d-001.json.gz');
const GRAPH_FOLDERS = ['wfinstances', 'wfformat-1.4', 'flowbench'];

/** The files of all task graphs; only Montage where the corpus is absent. */
export function taskGraphFiles(): readonly string[] {
  if (!existsSync(join(corpusFolder, 'README.md'))) return [montageFile];
  return GRAPH_FOLDERS.flatMap((folder) =>
    readdirSync(join(corpusFolder, folder))
      .filter((name) => /\.json(\.gz)?$/.test(name))
      .map((name) => join(corpusFolder, folder, name)),
  );
}

export interface Replay {
  name: string;
  definition: WorkflowDefinition;
  graph: ReplayedGraph;
  tasks: number;
  edges: number;
}

/** Imports a file as the command line does, and says what its replay must look like. */
export async function readReplay(file: string, timeScale: number): Promise<Replay> {
  const name = plainName(file);
  const imported = importWfformat(await readImportFile(file, root), { timeScale, fallbackName: name });
  const needs = new Map<string, readonly string[]>();
  const durationMs = new Map<string, number>();
  for (const [id, step] of Object.entries(imported.definition.steps)) {
    needs.set(id, step.needs ?? []);
    durationMs.set(id, (step as { input?: { ms?: number } }).input?.ms ?? 0);
  }
  const { definition, tasks, edges } = imported;
  return { name, definition, graph: { needs, durationMs }, tasks, edges };
}
