import { createServer } from 'node:net';

/** A loopback TCP port that is free now. Another process may take it before the caller does: bind soon, retry on failure. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('the operating system named no port');
  return address.port;
}
