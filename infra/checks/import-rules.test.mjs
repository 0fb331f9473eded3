import { describe, expect, test } from '@jest/globals';
import { breachesIn, manifestBreaches } from './import-rules.mjs';

const problems = (path, source) => breachesIn(path, source).map(({ line, problem }) => `${line} ${problem}`);

describe('libraries that one package hides', () => {
  test.each([
    "import { Queue } from 'bullmq';",
    "import type { Job } from 'bullmq';",
    "export * from 'bullmq';",
    "const { Queue } = await import('bullmq');",
    "import 'bullmq/dist/esm/index.js';",
    "import {\n  Queue,\n} from 'bullmq';",
  ])('%j is a breach outside packages/queue and none inside', (source) => {
    expect(problems('packages/executor/src/a.ts', source)).toEqual([expect.stringContaining('imports bullmq')]);
    expect(problems('packages/queue/src/a.ts', source)).toEqual([]);
    expect(problems('packages/bench/src/a.ts', source)).toEqual([]);
    expect(problems('tests/integration/a.test.ts', source)).toHaveLength(1);
  });

  test('ioredis stays in packages/redis', () => {
    expect(problems('packages/state/src/a.ts', "import { Redis } from 'ioredis';")).toHaveLength(1);
    expect(problems('packages/redis/src/a.ts', "import { Redis } from 'ioredis';")).toEqual([]);
  });

  test('fleets of real processes are started by what disturbs or measures them, and by tests', () => {
    const source = "import { startFleet } from '@flotilla/local-fleet';";
    expect(problems('apps/worker/src/a.ts', source)).toHaveLength(1);
    expect(problems('packages/chaos/src/a.ts', source)).toEqual([]);
  });

  test('a name in a comment or in other text is no import', () => {
    const source =
      "// import x from 'bullmq'\n/* from 'bullmq' */\nconst text = `from 'ioredis-mock'`;\nimport a from 'bullmq-otel';";
    expect(problems('packages/state/src/a.ts', source)).toEqual([]);
  });

  test('test tools are imported by tests alone', () => {
    const source = "import { startRedis } from '@flotilla/testing';";
    expect(problems('packages/state/src/a.test.ts', source)).toEqual([]);
    expect(problems('packages/state/src/a.ts', source)).toEqual(['1 imports @flotilla/testing outside a test']);
  });
});

test('the retry rule is asked by what decides how attempts end, and by tests', () => {
  const source = "import { decideRetry } from './decide-retry.ts';";
  const breach = '1 imports decide-retry.ts, which only decide-end.ts may';
  expect(problems('packages/engine/src/plan-retry.ts', source)).toEqual([breach]);
  expect(problems('packages/engine/src/index.ts', "export * from './decide-retry.ts';")).toEqual([breach]);
  expect(problems('packages/engine/src/decide-end.ts', source)).toEqual([]);
  expect(problems('packages/engine/src/decide-retry.test.ts', source)).toEqual([]);
});

describe('the purity of the engine', () => {
  const inEngine = (source) => problems('packages/engine/src/a.ts', source);

  test.each([
    'const at = Date.now();',
    'const at = new Date();',
    'setTimeout(f, 1);',
    'const x = process.env;',
    'await fetch(url);',
    'const x = Math.random();',
    'const x = Math . random();',
    'const x = Math["random"]();',
    'const x = crypto.randomUUID();',
    "import { readFileSync } from 'node:fs';",
    "import { setTimeout as delay } from 'node:timers/promises';",
    "import fs from 'fs';",
    "import { randomUUID } from 'node:crypto';",
    'const text = `now ${Date.now()}`;',
    'const ratio = a / b; const later = Date.now() / 2;',
  ])('%j is a breach', (source) => {
    expect(inEngine(source).length).toBeGreaterThan(0);
  });

  test.each([
    '// Date.now() would be impure',
    "const text = 'Date.now()';",
    'const text = `process ${name} fetch`;',
    'const pattern = /["\'`]Date/; const next = 1;',
    'interface Plan { process: string; fetch?: boolean }',
    'plan.process = step.fetch;',
    "import { createHash } from 'node:crypto';",
    'const updateDate = prefetch(processed);',
    'Math.max(1, 2);',
  ])('%j is none', (source) => {
    expect(inEngine(source)).toEqual([]);
  });

  test('tests of the engine may do all that, and so may other packages', () => {
    expect(problems('packages/engine/src/a.test.ts', 'Date.now();')).toEqual([]);
    expect(problems('packages/state/src/a.ts', 'Date.now();')).toEqual([]);
  });
});

test('the line of a breach is the line it stands on', () => {
  expect(problems('packages/engine/src/a.ts', '/* one\ntwo */\nconst a = `\n${b}\n`;\nDate.now();')[0]).toMatch(/^6 /);
});

test('a folder name that says nothing is refused', () => {
  expect(problems('packages/state/src/utils/a.ts', '')).toHaveLength(1);
  expect(problems('packages/state/src/transitions/a.ts', '')).toEqual([]);
});

test('contracts depend on zod alone, and test tools are development tools', () => {
  expect(manifestBreaches('packages/contracts/package.json', { dependencies: { zod: '1', pino: '1' } })).toHaveLength(
    1,
  );
  expect(manifestBreaches('packages/state/package.json', { dependencies: { '@flotilla/testing': '1' } })).toHaveLength(
    1,
  );
  expect(manifestBreaches('packages/state/package.json', { devDependencies: { '@flotilla/testing': '1' } })).toEqual(
    [],
  );
});
