import fc from 'fast-check';

export interface PropertySettings {
  numRuns: number;
  /** After this time no more than `leastRuns` examples are tried: a slow machine tries fewer. */
  timeLimitMs: number;
  /** So many are tried however long they take. Default: a tenth of `numRuns`. */
  leastRuns?: number;
  /** Told how many were tried. Default: stdout. */
  tell?: (line: string) => void;
}

/** Looking for the smallest example that fails takes no longer than this. */
const SHRINK_LIMIT_MS = 60_000;

/**
 * Checks a property with the seed in FLOTILLA_SEED, or one by chance; a failure says how to see it again. Tells how many examples
 * it held for, and rejects when they were fewer than `leastRuns`.
 */
export async function checkProperty<T>(
  arbitrary: fc.Arbitrary<T>,
  predicate: (example: T) => Promise<void>,
  { numRuns, timeLimitMs, leastRuns = Math.ceil(numRuns / 10), tell = print }: PropertySettings,
): Promise<void> {
  const given = process.env['FLOTILLA_SEED'];
  const seed = given === undefined || given === '' ? Math.floor(Math.random() * 2 ** 31) : Number(given);
  let deadline = performance.now() + timeLimitMs;
  let hasFailed = false;
  let held = 0;
  const property = fc.asyncProperty(arbitrary, async (example) => {
    if (performance.now() > deadline && (hasFailed || held >= leastRuns)) return;
    try {
      await predicate(example);
      held += 1;
    } catch (error) {
      if (!hasFailed) deadline = performance.now() + SHRINK_LIMIT_MS;
      hasFailed = true;
      throw error;
    }
  });
  const result = await fc.check(property, { seed, numRuns });
  if (result.failed) {
    const report = fc.defaultReportMessage(result) ?? 'the property does not hold';
    throw new Error(`seen again with FLOTILLA_SEED=${seed}\n${report}`, { cause: result.errorInstance });
  }
  tell(`held for ${held} of ${numRuns} examples, seed ${seed}`);
  if (held < leastRuns) throw new Error(`only ${held} examples were tried; ${leastRuns} are the least`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
