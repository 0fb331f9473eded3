import { describe, expect, test } from '@jest/globals';
import { ENVIRONMENT_NAMES, warnOfUnknownVariables, withCurrentNames } from './environment-names.ts';

/** Parted, so that the test which looks for names in the sources does not find these. */
const named = (rest: string) => `FLOTILLA_${rest}`;

describe('a variable of ours that no program reads', () => {
  test.each([
    [named('CONCURENCY'), 'FLOTILLA_CONCURRENCY'],
    [named('PARTITION'), 'FLOTILLA_PARTITIONS'],
    ['flotilla_url', 'FLOTILLA_URL'],
    [named('REDIS_URL'), 'REDIS_URL'],
  ])('is warned of: %s is probably %s', (name, meant) => {
    expect(warnOfUnknownVariables({ [name]: '1' })).toEqual([
      `${name} is set, but no program reads it (did you mean ${meant}?)`,
    ]);
  });

  test('is warned of without a guess when no name is near, and never with its value', () => {
    const warnings = warnOfUnknownVariables({ [named('SOMETHING_ELSE')]: 'hunter2' });
    expect(warnings).toEqual([`${named('SOMETHING_ELSE')} is set, but no program reads it`]);
  });

  test('is not warned of when it is set to nothing, or when an orchestrator has set it for a service', () => {
    const links = ['SERVICE_HOST', 'SERVICE_PORT_HTTP', 'PORT_7070_TCP_ADDR', 'SCHEDULER_SERVICE_PORT'].map(named);
    const environment = Object.fromEntries(links.map((name) => [name, '1']));
    expect(warnOfUnknownVariables({ ...environment, [named('URLS')]: '', [named('HOSTS')]: undefined })).toEqual([]);
  });

  test('is one that is not in the list, nor a variable of others', () => {
    const known = Object.fromEntries(
      [...ENVIRONMENT_NAMES, named('SECRET_PAYMENTS'), 'REDIS_URL', 'PATH'].map((name) => [name, '1']),
    );
    expect(warnOfUnknownVariables(known)).toEqual([]);
  });
});

describe('a variable that was renamed', () => {
  test.each([
    [named('OWN_PROCESSES'), 'FLOTILLA_ISOLATED_PROCESSES'],
    [named('HEALTH_MOST_OUT_PERCENT'), 'FLOTILLA_HEALTH_MAX_UNHEALTHY_PERCENT'],
  ])('is read by its former name %s as %s, with a warning', (former, name) => {
    expect(withCurrentNames({ [former]: '7', PATH: '/bin' })).toEqual({ [name]: '7', PATH: '/bin' });
    expect(warnOfUnknownVariables({ [former]: '7' })).toEqual([
      `${former} is now named ${name}; the former name is read for one more version`,
    ]);
  });

  test('counts by its present name where both are set', () => {
    const both = { [named('OWN_PROCESSES')]: '7', [named('ISOLATED_PROCESSES')]: '3' };
    expect(withCurrentNames(both)).toEqual({ FLOTILLA_ISOLATED_PROCESSES: '3' });
  });
});
