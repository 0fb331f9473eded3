import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ownDir, projectDir, userProject } from './project-paths.mjs';

test('a checkout keeps what it makes in its own folder', () => {
  expect(ownDir).toBe(join(projectDir, '.flotilla'));
});

test("the user's project is the nearest folder with a manifest, or else the folder itself", () => {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-paths-'));
  try {
    const inside = join(folder, 'project', 'src');
    mkdirSync(inside, { recursive: true });
    expect(userProject(inside)).toBe(inside);
    writeFileSync(join(folder, 'project', 'package.json'), '{}');
    expect(userProject(inside)).toBe(join(folder, 'project'));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
