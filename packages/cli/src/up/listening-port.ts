import { readdir, readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename } from 'node:path';
import { CliProblem } from '../cli-problem.ts';

/**
 * A port that can be listened on now: the one asked for, or any for 0.
 * @throws CliProblem `PORT_IN_USE` with who has it where that can be found out, `PORT_REFUSED`
 */
export async function requirePort(host: string, port: number, setting = '--port or FLOTILLA_PORT'): Promise<number> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE') {
      throw new CliProblem('PORT_REFUSED', `cannot listen on ${host} port ${port}: ${code}`, { cause: error });
    }
    const owner = await ownerOfPort(port);
    throw new CliProblem('PORT_IN_USE', `port ${port} is in use${owner === undefined ? '' : ` by ${owner}`}`, {
      hint: `choose another with ${setting} (0 takes any free one), or end what uses it`,
      cause: error,
    });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

const LISTENING = '0A';

/** The process that listens on a port, as `process 123 (node main.js)`. Linux only, and only processes that we may look at. */
async function ownerOfPort(port: number): Promise<string | undefined> {
  try {
    const inodes = await inodesListeningOn(port);
    if (inodes.size === 0) return undefined;
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      if (await holdsSocket(pid, inodes)) return `process ${pid} (${await commandOf(pid)})`;
    }
  } catch {
    // Another system, or no permission: the message does without.
  }
  return undefined;
}

/** Program and first argument without their folders: enough to know it again, without the secrets of a command line. */
async function commandOf(pid: string): Promise<string> {
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').filter((word) => word !== '');
  const [program = '', file] = words.filter((word) => !word.startsWith('-'));
  return [program, ...(file === undefined ? [] : [file])].map((word) => basename(word)).join(' ');
}

async function inodesListeningOn(port: number): Promise<Set<string>> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const text = await readFile(table, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(`:${wanted}`) && fields[3] === LISTENING && fields[9] !== undefined)
        inodes.add(fields[9]);
    }
  }
  return inodes;
}

async function holdsSocket(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  for (const descriptor of await readdir(folder).catch(() => [])) {
    const target = await readlink(`${folder}/${descriptor}`).catch(() => '');
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined && inodes.has(inode)) return true;
  }
  return false;
}
