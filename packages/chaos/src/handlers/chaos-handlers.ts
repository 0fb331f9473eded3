import { closeSync, openSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { loadProgress, reportEffect, saveProgress } from '@flotilla/checker';
import { defineStep } from '@flotilla/steps';
import { z } from 'zod';

/** A file that the first attempt creates: what is to go wrong once goes wrong where it is not there yet. */
const once = z.object({ mark: z.string() });

function isFirst(mark: string): boolean {
  try {
    closeSync(openSync(mark, 'wx'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Like flotilla.sleep, with an effect outside that the checker compares with what was committed. */
const recordEffect = defineStep({
  name: 'record-effect',
  input: z.object({ ms: z.number() }),
  run: async ({ ms }, context) => {
    await pause(ms, undefined, { signal: context.signal });
    const output = { ms, fence: context.fence };
    await reportEffect(context, output);
    return output;
  },
});

/**
 * Saves its progress after each page, and goes on after the last one saved. With `failsAfter` it fails when it has saved that
 * page: the next attempt has to find it.
 */
const savePages = defineStep({
  name: 'save-pages',
  input: z.object({ pages: z.number(), failsAfter: z.number().optional() }),
  run: async ({ pages, failsAfter }, context) => {
    const found = await loadProgress(context);
    for (let number = found.number + 1; number <= pages; number += 1) {
      await pause(50, undefined, { signal: context.signal });
      await saveProgress(context, { number, state: { page: number } });
      if (number === failsAfter) throw new Error(`fails as it should, after page ${number}`);
    }
    return { pages };
  },
});

const blockLoop = defineStep({
  name: 'block-loop',
  input: once.extend({ ms: z.number() }),
  run: ({ mark, ms }) => {
    if (!isFirst(mark)) return { blockedMs: 0 };
    const startedAt = performance.now();
    while (performance.now() - startedAt < ms);
    const blockedMs = Math.round(performance.now() - startedAt);
    writeFileSync(mark, String(blockedMs));
    return { blockedMs };
  },
});

const endWorker = defineStep({
  name: 'end-worker',
  input: once,
  run: ({ mark }) => (isFirst(mark) ? process.exit(13) : { survived: true }),
});

const loopForEver = defineStep({
  name: 'loop-for-ever',
  input: once,
  run: ({ mark }) => {
    const turns = isFirst(mark);
    while (turns);
    return { survived: true };
  },
});

const throwNoError = defineStep({
  name: 'throw-no-error',
  input: z.object({}),
  run: () => {
    throw { toString: null, message: 7n };
  },
});

/** Only where the heap has been limited: a whole machine is not to be filled by mistake. */
const LARGEST_HEAP_BYTES = 256 * 1024 * 1024;

const useUpMemory = defineStep({
  name: 'use-up-memory',
  input: once,
  run: ({ mark }) => {
    if (getHeapStatistics().heap_size_limit > LARGEST_HEAP_BYTES || !isFirst(mark)) return { survived: true };
    const kept: unknown[] = [];
    for (;;) kept.push(Array.from({ length: 10_000 }, (_, index) => ({ index })));
  },
});

const tellTime = defineStep({ name: 'tell-time', run: () => ({ now: Date.now() }) });

export default [recordEffect, savePages, blockLoop, endWorker, loopForEver, throwNoError, useUpMemory, tellTime];
