import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface RedisProxy {
  /** Of the proxy: what is under test connects here. */
  readonly url: string;
  /** Breaks all connections and refuses new ones until `mend`. */
  cut(): void;
  mend(): void;
  /**
   * Lets the next request whose bytes contain `text` reach Redis and be carried out, keeps the answer back and cuts.
   * Resolves when that has happened.
   */
  cutAfter(text: string): Promise<void>;
  close(): Promise<void>;
}

/** A TCP proxy in front of a Redis whose connections a test breaks at chosen moments. */
export async function startRedisProxy(target: string): Promise<RedisProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isCut = false;
  let awaited: { text: string; done: () => void } | undefined;
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    return socket;
  };
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((caller) => {
    keep(caller);
    if (isCut) {
      caller.destroy();
      return;
    }
    const upstream = keep(connect(Number(port), hostname));
    let cutsAtAnswer: (() => void) | undefined;
    caller.on('data', (bytes) => {
      if (awaited !== undefined && bytes.includes(awaited.text)) {
        cutsAtAnswer = awaited.done;
        awaited = undefined;
      }
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (cutsAtAnswer === undefined) {
        caller.write(bytes);
        return;
      }
      cut();
      cutsAtAnswer();
    });
    caller.on('close', () => upstream.destroy());
    upstream.on('close', () => caller.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: () => {
      isCut = false;
    },
    cutAfter: (text) =>
      new Promise<void>((done) => {
        awaited = { text, done };
      }),
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
