import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { ChaosLink, type ChunkFate, type LinkCounts, type LinkDirection } from './chaos-link.ts';

/** What a proxy does with connections. Each needs no rights and can be changed while connections are open. */
export type ProxyMode =
  | { kind: 'pass' }
  /** Every chunk comes later by the latency, more or less by the jitter; all of them no faster than the bandwidth. */
  | { kind: 'slow'; latencyMs: number; jitterMs?: number; bytesPerSecond?: number }
  /**
   * Nothing gets through, and nobody is told: connections stay open and new ones are accepted. `bytes: 'held'` are
   * delivered when the mode ends, as after a short partition; `bytes: 'lost'` never are, and the connections that lost
   * some are reset then. With `direction` the other one goes on working.
   */
  | { kind: 'black-hole'; bytes: 'held' | 'lost'; direction?: LinkDirection }
  /** The server side is gone without a word: its end is closed, the client's stays open until it is used afterwards. */
  | { kind: 'half-open' }
  /** Connections are refused. Those that are open go on. */
  | { kind: 'refuse' };

export interface ProxyCounts {
  accepted: number;
  /** Connections that were broken by a reset. */
  reset: number;
  /** Bytes by direction. */
  'to-server': LinkCounts;
  'to-client': LinkCounts;
}

export interface ChaosProxy {
  readonly port: number;
  /** The proxy in place of the target: what is under test connects here. */
  readonly url: string;
  readonly mode: ProxyMode;
  /** Since the start; a copy. */
  counts(): ProxyCounts;
  openConnections(): number;
  /** Resolves when it is in force. */
  setMode(mode: ProxyMode): Promise<void>;
  /** Breaks all open connections with RST; gives how many. */
  resetConnections(): number;
  stop(): Promise<void>;
}

export interface ChaosProxyOptions {
  /** Source of the jitter, from 0 to below 1. Default: Math.random. */
  random?: () => number;
  /** Whose connections the mode is about, by the address they come from; all others pass. Default: everybody's. */
  affects?: (remoteAddress: string) => boolean;
}

/**
 * Starts a TCP proxy on a loopback port that treats the connections to `target` (a URL with host and port) as bad
 * networks do. The bytes are not looked at, so any protocol goes through.
 */
export async function startChaosProxy(target: string, options: ChaosProxyOptions = {}): Promise<ChaosProxy> {
  const proxy = new LoopbackProxy(new URL(target), options);
  await proxy.listen();
  return proxy;
}

class LoopbackProxy implements ChaosProxy {
  port = 0;
  mode: ProxyMode = { kind: 'pass' };
  readonly #target: URL;
  readonly #random: () => number;
  readonly #affects: (remoteAddress: string) => boolean;
  readonly #connections = new Set<Connection>();
  #server: Server | undefined;
  readonly #counts: ProxyCounts = {
    accepted: 0,
    reset: 0,
    'to-server': { forwarded: 0, held: 0, swallowed: 0 },
    'to-client': { forwarded: 0, held: 0, swallowed: 0 },
  };

  constructor(target: URL, { random = Math.random, affects = () => true }: ChaosProxyOptions) {
    this.#target = target;
    this.#random = random;
    this.#affects = affects;
  }

  get url(): string {
    const url = new URL(this.#target);
    url.host = `127.0.0.1:${this.port}`;
    return url.href;
  }

  counts(): ProxyCounts {
    return structuredClone(this.#counts);
  }

  openConnections(): number {
    return this.#connections.size;
  }

  async listen(): Promise<void> {
    // Half-open connections are the point: the proxy closes each side itself.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.port = (server.address() as AddressInfo).port;
  }

  async setMode(mode: ProxyMode): Promise<void> {
    const before = this.mode;
    this.mode = mode;
    if (mode.kind === 'half-open') {
      for (const { upstream, isAffected } of this.#connections) if (isAffected) upstream?.destroy();
    }
    if (before.kind === 'black-hole' && mode.kind !== 'black-hole') this.#resetBroken();
    for (const { links } of this.#connections) for (const link of links) link.reconsider();
    if (mode.kind === 'refuse') this.#stopListening();
    else if (this.#server === undefined) await this.listen();
  }

  resetConnections(): number {
    return this.#reset([...this.#connections]);
  }

  async stop(): Promise<void> {
    for (const { client, upstream } of this.#connections) {
      client.destroy();
      upstream?.destroy();
    }
    this.#stopListening();
  }

  /** The port is free at once; connections that are open stay. */
  #stopListening(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #resetBroken(): void {
    this.#reset([...this.#connections].filter(({ links }) => links.some(({ broken }) => broken)));
  }

  #reset(connections: readonly Connection[]): number {
    for (const { client, upstream } of connections) {
      this.#counts.reset += 1;
      client.resetAndDestroy();
      upstream?.resetAndDestroy();
    }
    return connections.length;
  }

  #accept(client: Socket): void {
    this.#counts.accepted += 1;
    const isAffected = this.#affects(client.remoteAddress ?? '');
    // Accepted while the server is gone, a connection leads nowhere, and stays so.
    const upstream =
      isAffected && this.mode.kind === 'half-open'
        ? undefined
        : connect({
            port: Number(this.#target.port),
            host: this.#target.hostname,
            allowHalfOpen: true,
            noDelay: true,
          });
    const connection: Connection = { client, upstream, isAffected, links: [] };
    this.#connections.add(connection);
    client.on('error', () => client.destroy());
    client.on('close', () => {
      this.#connections.delete(connection);
      upstream?.destroy();
    });
    if (upstream === undefined) {
      client.on('data', (chunk: Buffer) => this.#takeOrphan(client, chunk));
      client.on('end', () => client.destroy());
      return;
    }
    upstream.on('error', () => upstream.destroy());
    upstream.on('close', () => this.#afterUpstream(connection));
    const link = (direction: LinkDirection, from: Socket, to: Socket) =>
      new ChaosLink(
        direction,
        { from, to },
        () => (isAffected ? this.#fateOf(direction) : UNTOUCHED),
        this.#counts[direction],
      );
    connection.links.push(link('to-server', client, upstream), link('to-client', upstream, client));
  }

  /** The server's end has closed: the client is told, unless that is what must not happen. */
  #afterUpstream({ client, upstream, isAffected }: Connection): void {
    if (client.destroyed) return;
    const kind = isAffected ? this.mode.kind : 'pass';
    if (kind === 'black-hole') return; // the news does not get through; the next use finds out
    if (kind !== 'half-open') {
      // All that was sent before the end has been written; a server that was killed ends with RST.
      if (upstream?.errored) client.resetAndDestroy();
      else client.end(() => client.destroy());
      return;
    }
    client.removeAllListeners('data');
    client.on('data', (chunk: Buffer) => this.#takeOrphan(client, chunk));
    client.resume();
  }

  #takeOrphan(client: Socket, chunk: Buffer): void {
    if (this.mode.kind === 'half-open') {
      this.#counts['to-server'].swallowed += chunk.length;
    } else {
      this.#counts.reset += 1;
      client.resetAndDestroy();
    }
  }

  #fateOf(direction: LinkDirection): ChunkFate {
    const { mode } = this;
    if (mode.kind === 'slow') {
      const jitterMs = (mode.jitterMs ?? 0) * (2 * this.#random() - 1);
      return { kind: 'forward', delayMs: Math.max(0, mode.latencyMs + jitterMs), bytesPerSecond: mode.bytesPerSecond };
    }
    if (mode.kind === 'black-hole' && (mode.direction ?? direction) === direction) {
      return { kind: mode.bytes === 'held' ? 'hold' : 'swallow' };
    }
    if (mode.kind === 'half-open') return { kind: 'swallow' };
    return UNTOUCHED;
  }
}

const UNTOUCHED: ChunkFate = { kind: 'forward', delayMs: 0, bytesPerSecond: undefined };

interface Connection {
  client: Socket;
  /** The mode is about it. */
  isAffected: boolean;
  /** None: accepted when the server was gone. */
  upstream: Socket | undefined;
  links: ChaosLink[];
}
