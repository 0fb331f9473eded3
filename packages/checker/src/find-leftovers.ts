import { closeConnection, connectRedis, mastersOf, untilReady } from '@flotilla/redis';
import { checkRecording } from './check-recording.ts';
import { EMPTY_RECORDING } from './recording.ts';
import { scanRedis } from './scan-redis.ts';

/**
 * What a fleet at rest has left in Redis although all its runs have ended (V13, V14): outbox entries, due entries, leases,
 * runs that are thought active, BullMQ tasks, keys that nobody knows. Run state and history stay, of course.
 */
export async function findLeftovers(
  redisUrl: string,
  namespace: string,
  { tasks = true }: { tasks?: boolean } = {},
): Promise<string[]> {
  const connection = connectRedis(redisUrl, 'commands');
  try {
    await untilReady(connection, 5000);
    // Of a Cluster each node has its own keys.
    const servers = mastersOf(connection.client).map(
      (server) =>
        (command: string, ...args: string[]) =>
          server.call(command, ...args),
    );
    const scan = await scanRedis(servers, namespace);
    // BullMQ gives up tasks of killed workers after a minute; they are hints, and state does not wait for that.
    const bounds = { tasksMayRemain: !tasks };
    return checkRecording({ ...EMPTY_RECORDING, scans: [scan] }, { bounds }).map(({ message }) => message);
  } finally {
    await closeConnection(connection);
  }
}
