import { connect } from 'node:net';

/**
 * Sends one command to a Redis on loopback and returns the first piece of its answer as text, in Redis' own wire form
 * (`+PONG`, `-ERR …`, `$12…`). Undefined when nothing answers in time.
 * @param {number} port
 * @param {readonly string[]} command
 * @param {number} [timeoutMs]
 * @returns {Promise<string | undefined>}
 */
export function askRedis(port, command, timeoutMs = 1000) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const timer = setTimeout(() => end(undefined), timeoutMs);
    const end = (answer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    socket.once('error', () => end(undefined));
    socket.once('close', () => end(undefined));
    socket.once('data', (data) => end(data.toString('utf8')));
    socket.write(
      `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`,
    );
  });
}

/** @param {number} port */
export async function answersPing(port) {
  return (await askRedis(port, ['PING']))?.startsWith('+PONG') ?? false;
}

/**
 * The data folder of the Redis on that port, as it sees it itself.
 * @param {number} port
 * @returns {Promise<string | undefined>}
 */
export async function dataFolderOf(port) {
  const answer = await askRedis(port, ['CONFIG', 'GET', 'dir']);
  return answer?.split('\r\n')[4];
}
