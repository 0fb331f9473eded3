import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnNode } from '@flotilla/testing';
import { expect, test } from '@jest/globals';

/** `FLOTILLA_FUZZ_SECONDS=600` and a `FLOTILLA_FUZZ_SEED` for more, or for the same again. */
const seconds = Number(process.env['FLOTILLA_FUZZ_SECONDS'] ?? 5);
const seed = Number(process.env['FLOTILLA_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

test(
  'no body, definition, evaluation or schema within the limits holds the event loop or the heap',
  async () => {
    const program = join(fileURLToPath(new URL('.', import.meta.url)), 'costly', 'run.ts');
    const runner = await spawnNode(program, [String(seed), String(seconds)], { nodeArgs: ['--expose-gc'] });
    const { code } = await runner.exited;
    const lines = runner.lines.filter((line) => /^(?:seed|VIOLATION)/.test(line));
    console.info(lines.join('\n'));
    expect({ code, violations: lines.filter((line) => line.startsWith('VIOLATION')) }).toEqual({
      code: 0,
      violations: [],
    });
  },
  (seconds + 120) * 1000,
);
