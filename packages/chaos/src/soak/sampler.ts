import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ownModule, type StartedProcess, spawnNode } from '@flotilla/local-fleet';
import type { Scene } from '../driver/scene.ts';
import { type ProcessSample, sampleFile } from './process-sample.ts';
import { type RedisSample, sampleRedis } from './redis-sample.ts';

export interface ProcessSeries {
  /** `s-…` or `w-…`, or `idle`. */
  id: string;
  kind: 'scheduler' | 'worker' | 'idle';
  /** It lived from the beginning to the end and no fault was meant for it. */
  isSpared: boolean;
  samples: readonly ProcessSample[];
}

export interface Series {
  processes: readonly ProcessSeries[];
  redis: readonly RedisSample[];
}

const PROBE = ownModule('../preload/soak-probe', import.meta.url);
const IDLE = ownModule('./soak-idle', import.meta.url);

/** Options for node that put the probe into a process. */
export function probeArgs(): readonly string[] {
  return ['--expose-gc', `--import=${pathToFileURL(PROBE)}`];
}

/** Has all processes of a fleet write samples of themselves, and takes those of Redis. */
export class Sampler {
  /** For the processes that are to be sampled. */
  readonly nodeArgs = probeArgs();
  readonly env: Readonly<Record<string, string>>;
  readonly #folder: string;
  readonly #everyMs: number;
  readonly #redis: RedisSample[] = [];
  #idle: StartedProcess | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(folder: string, everyMs: number) {
    this.#folder = folder;
    this.#everyMs = everyMs;
    this.env = { SOAK_FOLDER: folder, SOAK_EVERY_MS: String(Math.round(everyMs)) };
  }

  static async open(everyMs: number): Promise<Sampler> {
    return new Sampler(await mkdtemp(join(tmpdir(), 'flotilla-test-')), everyMs);
  }

  /** From now on Redis is sampled, and a process beside the fleet that does nothing. */
  async start(scene: Scene): Promise<void> {
    this.#idle = await spawnNode(IDLE, [], { env: this.env, nodeArgs: this.nodeArgs });
    this.#timer = setInterval(async () => {
      const sample = await sampleRedis(scene.admin);
      if (sample !== undefined) this.#redis.push(sample);
    }, this.#everyMs);
  }

  /** What has been sampled until now. `spared`: the worker that no fault was meant for; it may have ended by itself. */
  read(scene: Scene, spared: string | undefined): Series {
    const members = scene.fleet.members.map(
      (member): ProcessSeries => ({
        id: member.id,
        kind: member.kind,
        isSpared: member.id === spared || (member.kind === 'scheduler' && member.exit === undefined),
        samples: this.#samplesOf(member.process.pid),
      }),
    );
    const idle = this.#idle === undefined ? [] : this.#samplesOf(this.#idle.pid);
    return {
      processes: [...members, { id: 'idle', kind: 'idle', isSpared: true, samples: idle }],
      redis: [...this.#redis],
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#idle?.kill9();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #samplesOf(pid: number): ProcessSample[] {
    const file = join(this.#folder, sampleFile(pid));
    if (!existsSync(file)) return []; // it ended before its first sample
    return (
      readFileSync(file, 'utf8')
        .split('\n')
        // Of a process that was killed while it wrote, the last line may not be whole.
        .filter((line) => line.endsWith('}'))
        .map((line) => JSON.parse(line) as ProcessSample)
    );
  }
}
