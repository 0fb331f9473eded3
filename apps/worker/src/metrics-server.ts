import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FlotillaError, hostOfHeader, isLoopbackHost } from '@flotilla/contracts';
import type { Meters } from '@flotilla/telemetry';

export interface MetricsServerOptions {
  host: string;
  /** 0: any free port. When it is taken, as by another worker of this machine, one of the next that are free. */
  port: number;
  /** What a caller has to bring as `Authorization: Bearer …`; undefined: nobody is asked. */
  token: string | undefined;
  meters: Pick<Meters, 'render'>;
}

export interface MetricsServer {
  url: string;
  close: () => void;
}

/** Ports that are tried one after the other: as many workers may share a machine. */
const MAX_PORTS = 64;
const REQUEST_MS = 5000;
const MAX_CONNECTIONS = 16;

/** Serves `/metrics` and `/healthz` of a worker. PORT_IN_USE. */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const server = createServer({ requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS }, (request, response) => {
    void answer(request, response, options);
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, options);
  server.unref();
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}/metrics`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function listen(server: Server, { host, port }: MetricsServerOptions): Promise<void> {
  for (let tried = 0; tried < MAX_PORTS; tried += 1) {
    const candidate = port === 0 ? 0 : port + tried;
    if (candidate > 65_535) break;
    if (await listensOn(server, host, candidate)) return;
  }
  throw new FlotillaError('PORT_IN_USE', `port ${port} and those after it are in use; set FLOTILLA_METRICS_PORT`);
}

function listensOn(server: Server, host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    };
    server.once('error', onError);
    server.listen(port, host, () => {
      server.off('error', onError);
      resolve(true);
    });
  });
}

async function answer(request: IncomingMessage, response: ServerResponse, options: MetricsServerOptions) {
  const path = request.url?.split('?', 1)[0];
  // A web page can point its own name at this machine.
  const name = request.headers.host === undefined ? undefined : hostOfHeader(request.headers.host);
  if (isLoopbackHost(options.host) && (name === undefined || !isLoopbackHost(name))) {
    response.writeHead(421).end('this server answers to localhost, 127.0.0.1 and [::1] only\n');
  } else if (request.method !== 'GET') {
    response.writeHead(405, { allow: 'GET' }).end();
  } else if (path === '/healthz') {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}');
  } else if (path !== '/metrics') {
    response.writeHead(404).end('there are /metrics and /healthz\n');
  } else if (!isAllowed(request, options.token)) {
    response.writeHead(401, { 'www-authenticate': 'Bearer' }).end('FLOTILLA_METRICS_TOKEN is needed\n');
  } else {
    const text = await options.meters.render().catch(() => undefined);
    if (text === undefined) response.writeHead(500).end();
    else response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
  }
}

function isAllowed({ headers }: IncomingMessage, token: string | undefined): boolean {
  if (token === undefined) return true;
  const given = Buffer.from(headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
