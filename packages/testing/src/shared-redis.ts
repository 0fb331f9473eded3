/**
 * The URL of the Redis that all test files of a Jest run share: FLOTILLA_TEST_REDIS_URL, else one that Jest's global
 * set-up started. Use it with a `testNamespace`, never with FLUSHALL or CONFIG SET; a test that needs those starts a
 * Redis of its own.
 */
export function sharedRedis(): { readonly url: string } {
  const url = process.env['FLOTILLA_TEST_REDIS_URL'];
  if (url === undefined || url === '') {
    throw new Error(
      'no Redis for the tests: put redis-server or valkey-server on PATH, or set FLOTILLA_REDIS_SERVER (a binary) or FLOTILLA_TEST_REDIS_URL',
    );
  }
  return { url };
}
