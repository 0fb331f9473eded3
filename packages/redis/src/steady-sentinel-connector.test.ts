import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { SteadySentinelConnector } from './steady-sentinel-connector.ts';

/** A Sentinel, as far as a connector asks, that answers where the primary is when it is told to. */
let sentinel: Server;
let primary: Server;
let answerNow: () => void;
let asked: Promise<void>;
const sockets = new Set<Socket>();
const portOf = (server: Server) => (server.address() as AddressInfo).port;
const listen = (server: Server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

beforeEach(async () => {
  primary = createServer((socket) => void sockets.add(socket));
  await listen(primary);
  const answered = new Promise<void>((resolve) => {
    answerNow = resolve;
  });
  let tellAsked: () => void = () => undefined;
  asked = new Promise((resolve) => {
    tellAsked = resolve;
  });
  sentinel = createServer((socket) => {
    sockets.add(socket);
    socket.on('data', (chunk) => {
      const text = chunk.toString().toLowerCase();
      if (!text.includes('get-master-addr-by-name')) return void socket.write('+OK\r\n'.repeat(countOf(text)));
      tellAsked();
      const port = String(portOf(primary));
      return void answered.then(() => socket.write(`*2\r\n$9\r\n127.0.0.1\r\n$${port.length}\r\n${port}\r\n`));
    });
  });
  await listen(sentinel);
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await Promise.all([primary, sentinel].map((server) => new Promise((resolve) => server.close(resolve))));
});

const countOf = (text: string) => text.split('\r\n').filter((line) => line.startsWith('*')).length;

interface Inside {
  failoverDetector: { isDisconnected: boolean; cleanup: () => void };
}

function looking(): { connector: SteadySentinelConnector; found: Promise<string>; inside: Inside } {
  const connector = new SteadySentinelConnector({
    sentinels: [{ host: '127.0.0.1', port: portOf(sentinel) }],
    ...{ name: 'main', updateSentinels: false, protocol: 2, failoverDetector: false, disconnectTimeout: 100 },
  });
  const inside = connector as unknown as Inside;
  inside.failoverDetector = { isDisconnected: false, cleanup: () => undefined };
  const found = connector
    .connect(() => undefined)
    .then(
      (stream) => {
        stream.destroy();
        return 'connected';
      },
      (error: Error) => error.message,
    );
  return { connector, found, inside };
}

test('being told of a failover while it looks for the primary does not end the search', async () => {
  const { connector, found, inside } = looking();
  await asked;
  inside.failoverDetector.isDisconnected = true; // as the listener does before it ends the connection
  connector.disconnect();
  answerNow();
  expect(await found).toBe('connected');
});

test('who ends the connection ends the search, after a failover, too', async () => {
  const { connector, found, inside } = looking();
  await asked;
  inside.failoverDetector.isDisconnected = true;
  connector.disconnect();
  connector.disconnect();
  answerNow();
  expect(await found).toBe('Connection is closed.');
});
