import { describe, expect, test } from '@jest/globals';
import { normaliseMessage } from './normalise-message.ts';

describe('a normalised message', () => {
  test.each([
    ['order 4711 is unknown', 'order … is unknown'],
    ['card "4111 1111" was declined', 'card … was declined'],
    ["no such file: '/tmp/a b.txt'", 'no such file: …'],
    ["it can't be done", "it can't be done"],
    ['connect ECONNREFUSED 127.0.0.1:5432', 'connect ECONNREFUSED …'],
    ['user 3f2504e0-4f89-11d3-9a0c-0305e82c3301 at 2026-12-01T02:40:22Z', 'user … at …'],
    ['HTTP 503 after 120 ms', 'HTTP 503 after … ms'],
    ['the server answered 404', 'the server answered 404'],
    ['one\n  two\tthree', 'one two three'],
    ['', ''],
  ])('of %j is %j', (message, expected) => {
    expect(normaliseMessage(message)).toBe(expected);
  });

  test('tells statuses of HTTP apart', () => {
    expect(normaliseMessage('HTTP 503')).not.toBe(normaliseMessage('HTTP 404'));
  });

  test('is at most 300 characters long, however long the message is', () => {
    expect(normaliseMessage('word '.repeat(100_000)).length).toBeLessThanOrEqual(300);
  });

  test.each([['"'.repeat(5000)], ["'".repeat(5000)], ['1 '.repeat(5000)], ['…'.repeat(5000)], ['a1:'.repeat(5000)]])(
    'of a hostile message is made in no time (%#)',
    (message) => {
      const before = process.cpuUsage();
      normaliseMessage(message);
      expect(process.cpuUsage(before).user / 1000).toBeLessThan(50);
    },
  );
});
