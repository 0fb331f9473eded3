import { sharedServer } from './jest-global-setup.ts';

export default async function globalTeardown(): Promise<void> {
  if (sharedServer.redis === undefined) return;
  await sharedServer.redis.stop();
  delete process.env['FLOTILLA_TEST_REDIS_URL'];
}
