import { connect } from 'node:net';
import { expect, test } from '@jest/globals';
import { eventually, sharedRedis, testNamespace } from './index.ts';

test('two namespaces of one file differ and are safe in a hash tag', () => {
  const [one, two] = [testNamespace(import.meta.url), testNamespace(import.meta.url)];
  expect(one).toMatch(/^t[0-9a-f]{8}$/);
  expect(one).not.toBe(two);
});

test('the shared Redis answers', async () => {
  const port = Number(new URL(sharedRedis().url).port);
  expect(await eventually(() => ping(port))).toBe('+PONG\r\n');
});

/** The raw answer to one inline PING. */
function ping(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.setTimeout(1000, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString());
    });
    socket.write('PING\r\n');
  });
}
