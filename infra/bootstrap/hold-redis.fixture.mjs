/** For tests: starts the embedded Redis in the given folder, prints where it is, and keeps it until SIGTERM. */
import { join } from 'node:path';
import { startEmbeddedRedis } from './embedded-redis.mjs';

const [, , folder] = process.argv;
const redis = await startEmbeddedRedis({ data: join(folder, 'data'), logs: join(folder, 'logs') });
const keepAlive = setInterval(() => {}, 60_000);
process.once('SIGTERM', async () => {
  await redis.stop();
  clearInterval(keepAlive);
  process.stdout.write('stopped\n');
});
process.stdout.write(`${JSON.stringify({ port: redis.port, url: redis.url, reused: redis.reused })}\n`);
