import { describe, expect, test } from '@jest/globals';
import { Command } from 'commander';
import { benchRequest, withBenchOptions } from './bench-options.ts';
import { runCli } from './program.ts';
import { fakeTerminal } from './testing/fake-terminal.ts';

function read(line: string) {
  const command = withBenchOptions(new Command('bench')).action(() => undefined);
  return benchRequest(command.parse(line.split(' ').filter(Boolean), { from: 'user' }));
}

describe('options of bench', () => {
  test('have defaults that measure everything', () => {
    const { options } = read('');
    expect(options).toMatchObject({ rounds: 3, scale: 1, workers: 1 });
    expect(options.workload).toEqual(expect.arrayContaining(['chain', 'fan', 'scaling']));
    expect(options.only).toEqual(['plain', 'limit', 'flotilla']);
  });

  test('of the short form give way to those that are given', () => {
    expect(read('--short').options).toMatchObject({
      scale: 0.5,
      rounds: 3,
      workload: ['chain', 'fan'],
      only: ['plain', 'flotilla'],
    });
    expect(read('--rounds 1 --short --workload latency').options).toMatchObject({
      rounds: 1,
      scale: 0.5,
      workload: ['latency'],
    });
  });

  test('take lists in any order', () => {
    expect(read('--workload submit,chain --only flotilla').options).toMatchObject({
      workload: ['chain', 'submit'],
      only: ['flotilla'],
    });
  });

  test('reach the program with the command line that was given, without its defaults', () => {
    const line = '--json --rounds 2 --workload chain,fan --baseline kept.json --update-baseline';
    const { options, command } = read(line);
    expect(options).toMatchObject({ json: true, rounds: 2, scale: 1, baseline: 'kept.json', updateBaseline: true });
    expect(command.split(' ').toSorted()).toEqual(`./flotilla bench ${line}`.split(' ').toSorted());
  });

  test.each([
    ['--rounds 0', /--rounds .*whole number from 1 to 100/],
    ['--scale 0', /--scale .*above 0/],
    ['--scale many', /--scale /],
    ['--slots 0', /--slots .*from 1 to 10000/],
    ['--workload chian', /--workload .*expected some of chain, fan/],
    ['--only redis', /--only .*expected some of plain, limit, flotilla/],
    ['--update-baseline', /--update-baseline needs --baseline/],
    ['--baseline kept.json --only flotilla', /--only must keep both/],
    ['--fast', /unknown option '--fast'/],
    ['chain', /too many arguments/],
  ])('refuse %s with exit code 2 and a reason', async (line, reason) => {
    const terminal = fakeTerminal();
    expect(await runCli(['bench', ...line.split(' ')], terminal)).toBe(2);
    expect(terminal.stderr()).toMatch(reason);
  });
});
