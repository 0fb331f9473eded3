import { type Fleet, type RunRecord, recordMachineTime, startFleet, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ConformanceCase, conformanceCases, differences } from './check-case.ts';

/** How often every case is run with each fleet. The promise is three times in a row: .ci/run sets that. */
const rounds = Number(process.env['FLOTILLA_CONFORMANCE_ROUNDS'] || 1);
const CASE_MS = 30_000;

describe.each([1, 4])('with %d worker(s)', (workers) => {
  let fleet: Fleet;
  const machine = recordMachineTime();
  beforeAll(async () => {
    fleet = await startFleet({ namespace: testNamespace(import.meta.url), workers });
  }, 60_000);
  afterAll(async () => {
    const ends = fleet.unexpectedEnds();
    await fleet.stop();
    machine.stop();
    expect(ends).toEqual([]);
  });

  describe.each(Array.from({ length: rounds }, (_, index) => index + 1))('round %d', () => {
    const records = new Map<string, RunRecord | Error>();
    const run = async ({ name, definition, input }: ConformanceCase): Promise<void> => {
      const record = fleet.api.runToEnd({ definition, input }, CASE_MS);
      records.set(name, await record.catch((error: Error) => error));
    };
    beforeAll(async () => {
      // At once, because a fleet is for many runs; those with a time limit have the machine to themselves.
      await Promise.all(conformanceCases.filter(({ expect: { maxMs } }) => maxMs === undefined).map(run));
      for (const limited of conformanceCases.filter(({ expect: { maxMs } }) => maxMs !== undefined)) await run(limited);
    }, 4 * CASE_MS);

    test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', (name, each) => {
      const record = records.get(name);
      if (record === undefined || record instanceof Error) throw record ?? new Error(`${name} was not run`);
      expect(differences(each, record, machine)).toEqual([]);
    });
  });
});
