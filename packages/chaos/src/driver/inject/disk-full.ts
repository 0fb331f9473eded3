import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Injector } from './injury.ts';
import { refusals } from './redis-faults.ts';

const run = promisify(execFile);
const CHUNK = Buffer.alloc(1024 * 1024);

/** A small file system of its own for Redis' data; undefined, with the reason, where this process may not mount one. */
export async function mountSmallDisk(
  megabytes = 256,
): Promise<{ dir: string; unmount: () => Promise<void> } | { problem: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'flotilla-test-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'flotilla-chaos', dir]);
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    return { problem: `F16 needs to mount a small file system: ${(error as Error).message.trim()}` };
  }
  // Also when this process is told to end: nobody else knows of it. Lazily, as Redis may still run then.
  const unmountAtExit = () => execFileSync('umount', ['-l', dir]);
  process.on('exit', unmountAtExit);
  const unmount = async () => {
    process.off('exit', unmountAtExit);
    await run('umount', [dir]);
    await rm(dir, { recursive: true, force: true });
  };
  return { dir, unmount };
}

/** F16. Redis' data must be on a small disk. */
export const fillDisk: Injector = async (scene, { number, variant }) => {
  const filler = join(scene.redis.dir, 'filler');
  const file = await open(filler, 'w');
  const startAt = Date.now();
  try {
    await writeUntilFull(file);
    const proof = await refusals(scene, number, 'MISCONF');
    await pause(Math.max(0, variant.holdMs - (Date.now() - startAt)));
    return { startAt, endAt: Date.now(), targets: ['redis'], proof };
  } finally {
    await file.close();
    await rm(filler);
  }
};

async function writeUntilFull(file: Awaited<ReturnType<typeof open>>): Promise<void> {
  for (let size = CHUNK.length; size >= 1; ) {
    try {
      await file.write(CHUNK, 0, size);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      size = Math.floor(size / 16);
    }
  }
}
