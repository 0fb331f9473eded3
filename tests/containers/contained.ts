import type { Readable } from 'node:stream';
import { eventually } from '@flotilla/testing';
import { GenericContainer, getContainerRuntimeClient, type StartedNetwork, Wait } from 'testcontainers';

/** Built, and told by their names, by infra/docker/test-containers.mjs. */
export type ImageName = 'scheduler' | 'worker' | 'redis';

export interface ContainedOptions {
  image: ImageName;
  network: StartedNetwork;
  env?: Readonly<Record<string, string>>;
  /** How others on the network find it. */
  alias?: string;
  /** A port of the container to publish on loopback. */
  port?: number;
  /** What it prints when it is ready; waited for. None: it is only started. */
  readyLine?: RegExp;
  /** How often its health is checked. Default: what the image says. */
  healthEveryMs?: number;
}

const START_MS = 60_000;
const STOP_MS = 30_000;

/** Locked as compose locks the services, with the one network and no other. */
class LockedContainer extends GenericContainer {
  constructor(image: string, { network, alias, port, healthEveryMs }: ContainedOptions) {
    super(image);
    this.withNetwork(network)
      .withDroppedCapabilities('ALL')
      .withSecurityOpt('no-new-privileges:true')
      .withTmpFs({ '/tmp': 'rw' })
      // By this a crashed test's containers are found.
      .withLabels({ 'flotilla.under-test': 'true' });
    this.hostConfig.ReadonlyRootfs = true;
    const name = network.getName();
    if (alias !== undefined) this.createOpts.NetworkingConfig = { EndpointsConfig: { [name]: { Aliases: [alias] } } };
    if (port !== undefined) {
      this.withExposedPorts(port);
      this.hostConfig.PortBindings = { [`${port}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: '' }] };
    }
    // Without a test of its own, the image's is kept.
    if (healthEveryMs !== undefined) this.createOpts.Healthcheck = { Interval: healthEveryMs * 1e6, Retries: 2 };
  }
}

const dockerode = async () => (await getContainerRuntimeClient()).container.dockerode;

/** One container, and what testcontainers has no words for: pause, disconnect, kill. */
export class Contained {
  readonly id: string;
  /** What it has printed, until it was stopped for the first time. */
  readonly lines: readonly string[];
  readonly #options: ContainedOptions;

  private constructor(id: string, lines: readonly string[], options: ContainedOptions) {
    this.id = id;
    this.lines = lines;
    this.#options = options;
  }

  static async start(options: ContainedOptions): Promise<Contained> {
    const { image, env = {}, readyLine } = options;
    const lines: string[] = [];
    const container = new LockedContainer(nameOf(image), options)
      .withEnvironment({ ...env })
      .withStartupTimeout(START_MS)
      .withLogConsumer((stream) => collectLines(stream, lines))
      .withWaitStrategy(readyLine === undefined ? Wait.forLogMessage(/^/) : Wait.forLogMessage(readyLine));
    return new Contained((await container.start()).getId(), lines, options);
  }

  async inspect() {
    return (await this.#handle()).inspect();
  }

  /** Where a port of it is published now: a container that is started again gets another. */
  async publishedPort(): Promise<number> {
    const { port } = this.#options;
    const published = (await this.inspect()).NetworkSettings.Ports[`${port}/tcp`]?.[0]?.HostPort;
    if (published === undefined) throw new Error(`${this.#options.image} has no published port`);
    return Number(published);
  }

  /** Freezes every process in it; their connections stay open. */
  async pause(): Promise<void> {
    await (await this.#handle()).pause();
  }

  async unpause(): Promise<void> {
    await (await this.#handle()).unpause();
  }

  /** Takes its network away: nothing is answered, and nothing is told of that. */
  async disconnect(): Promise<void> {
    await (await this.#network()).disconnect({ Container: this.id });
  }

  async connect(): Promise<void> {
    const { alias } = this.#options;
    const named = alias === undefined ? {} : { EndpointConfig: { Aliases: [alias] } };
    await (await this.#network()).connect({ Container: this.id, ...named });
  }

  /** SIGKILL, or another signal, to its first process. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await (await this.#handle()).kill({ signal });
    if (signal === 'SIGKILL') await this.exitCode();
  }

  /** SIGTERM, then its exit code; 137 when it had to be killed after `graceMs`. */
  async terminate(graceMs = STOP_MS): Promise<number> {
    await (await this.#handle()).stop({ t: Math.ceil(graceMs / 1000) });
    return this.exitCode();
  }

  /** Starts the same container again, with the same volumes. */
  async startAgain(): Promise<void> {
    await (await this.#handle()).start();
  }

  /** Waits until it has ended. */
  exitCode(): Promise<number> {
    const ended = async () => {
      const { Status, ExitCode } = (await this.inspect()).State;
      return Status === 'exited' ? { code: ExitCode } : undefined;
    };
    return eventually(ended, { timeoutMs: STOP_MS, intervalMs: 50, message: 'a container to end' }).then(
      ({ code }) => code,
    );
  }

  /** `starting`, `healthy` or `unhealthy`. */
  async health(): Promise<string | undefined> {
    return (await this.inspect()).State.Health?.Status;
  }

  /** Runs a program in it and gives what that printed, and its exit code. */
  async run(...command: string[]): Promise<{ output: string; exitCode: number }> {
    const { container } = await getContainerRuntimeClient();
    return container.exec(await this.#handle(), command);
  }

  /** Kills and removes it with its volumes. Safe to call twice. */
  async remove(): Promise<void> {
    try {
      await (await this.#handle()).remove({ force: true, v: true });
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode !== 404) throw error;
    }
  }

  async #handle() {
    return (await dockerode()).getContainer(this.id);
  }

  async #network() {
    return (await dockerode()).getNetwork(this.#options.network.getId());
  }
}

function nameOf(image: ImageName): string {
  const names = JSON.parse(process.env['FLOTILLA_IMAGES'] ?? '{}') as Partial<Record<ImageName, string>>;
  const name = names[image];
  if (name === undefined)
    throw new Error('the images have not been built: start these tests by npm run test:containers');
  return name;
}

function collectLines(stream: Readable, lines: string[]): void {
  let rest = '';
  stream.on('data', (chunk: Buffer | string) => {
    const parts = (rest + String(chunk)).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  // The engine ends the stream when the container is removed.
  stream.on('error', () => stream.destroy());
}
