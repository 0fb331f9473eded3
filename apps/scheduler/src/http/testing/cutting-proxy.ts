import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * What happens to one request that passes: nothing; cut before the server sees it; cut when the server has answered but
 * the caller has not heard it.
 */
type Fate = 'pass' | 'cut-before' | 'cut-after';

export interface CuttingProxy {
  url: string;
  /** Fates of the next requests; afterwards all pass. */
  fates: Fate[];
  /** Requests that were let through to the server. */
  readonly forwarded: number;
  /** Breaks all connections that are open. */
  breakAll(): void;
  close(): Promise<void>;
}

/** A TCP proxy in front of an HTTP server that breaks connections at chosen moments. One request a connection. */
export async function startCuttingProxy(target: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target);
  const fates: Fate[] = [];
  const sockets = new Set<Socket>();
  let forwarded = 0;
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    return socket;
  };
  const server: Server = createServer((caller) => {
    keep(caller);
    caller.once('data', (head) => {
      const fate = fates.shift() ?? 'pass';
      if (fate === 'cut-before') {
        caller.destroy();
        return;
      }
      forwarded += 1;
      const upstream = keep(connect(Number(port), hostname));
      // One request a connection, so that every request has a fate of its own.
      upstream.write(head.toString('latin1').replace(/\r\nconnection: keep-alive/i, '\r\nconnection: close'), 'latin1');
      caller.pipe(upstream);
      if (fate === 'pass') upstream.pipe(caller);
      else upstream.once('data', () => caller.destroy());
      caller.on('close', () => upstream.destroy());
      upstream.on('close', () => caller.end());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fates,
    get forwarded() {
      return forwarded;
    },
    breakAll: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
