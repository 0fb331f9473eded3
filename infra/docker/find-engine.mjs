import { existsSync } from 'node:fs';
import { announce } from '../bootstrap/announce.mjs';
import { mayInstall } from '../bootstrap/ask.mjs';
import { capture, findOnPath } from '../bootstrap/run-program.mjs';

/** What starting one takes. */
const programs = ['dockerd', 'docker', 'unshare', 'setpriv', 'ip', 'iptables'];
/** Debian's; where the client and iptables are packages of their own, dockerd only recommends them. */
const packages = ['docker.io', 'docker-cli', 'iptables', 'iproute2', 'util-linux'];
const listsMs = 60_000;
const installMs = 150_000;

/**
 * The Docker engine that container tests can use: one that answers, or one that can be started; installs Debian's where
 * that is allowed. Never throws: `none` says in `why` what is missing.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<{ kind: 'running', version: string } | { kind: 'private' } | { kind: 'none', why: string }>}
 */
export async function findEngine(env = process.env) {
  const version = await runningEngine(env);
  if (version !== undefined) return { kind: 'running', version };
  if (process.platform !== 'linux') {
    return { kind: 'none', why: 'no Docker engine answers, and only on Linux can one be started here: start yours' };
  }
  if (process.getuid?.() !== 0) {
    return { kind: 'none', why: 'no Docker engine answers, and only root can start one' };
  }
  if (missing(env).length > 0) {
    const problem = await installEngine(env);
    if (problem !== undefined) return { kind: 'none', why: problem };
  }
  const absent = missing(env);
  if (absent.length > 0) return { kind: 'none', why: `no Docker engine answers, and ${absent.join(', ')} is missing` };
  const namespaces = await capture('unshare', [...namespaceOptions, 'true'], { env, timeoutMs: 20_000 });
  if (namespaces.code !== 0) {
    const words = (namespaces.problem ?? namespaces.stderr.trim()) || `exit code ${namespaces.code}`;
    return { kind: 'none', why: `no Docker engine answers, and namespaces of its own are refused: ${words}` };
  }
  return { kind: 'private' };
}

/** For `unshare`: what the started engine does not share with the machine. It ends with its first process. */
export const namespaceOptions = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];

async function runningEngine(env) {
  const [docker] = findOnPath('docker', env);
  if (docker === undefined) return undefined;
  const engine = await capture(docker, ['version', '--format', '{{.Server.Version}}'], { env, timeoutMs: 20_000 });
  return engine.code === 0 ? engine.stdout.trim() : undefined;
}

const missing = (env) => programs.filter((name) => findOnPath(name, withSystemFolders(env)).length === 0);

/** Where Debian puts dockerd, iptables and ip; not every root has them on PATH. */
export function withSystemFolders(env) {
  return { ...env, PATH: `${env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin` };
}

/** Undefined when it is installed, else why not. */
async function installEngine(env) {
  if (!existsSync('/etc/debian_version') || findOnPath('apt-get', env).length === 0) {
    return 'no Docker engine answers, none is installed, and this is no Debian or Ubuntu: install Docker';
  }
  if (!(await mayInstall("Install Debian's Docker (docker.io), to test the containers?", env))) {
    return 'no Docker engine answers and none is installed; with FLOTILLA_ALLOW_INSTALL=1 docker.io is installed';
  }
  announce(`installing Debian's Docker (docker.io)`);
  const apt = (timeoutMs, ...args) =>
    capture('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=60', ...args], {
      env: { ...env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
      timeoutMs,
    });
  await apt(listsMs, 'update'); // what lists there are may be enough
  const { stdout } = await capture('apt-cache', ['pkgnames', 'docker'], { env, timeoutMs: 60_000 });
  const known = new Set(stdout.split('\n'));
  const wanted = packages.filter((name) => !name.startsWith('docker') || known.has(name));
  const { code, stderr, problem } = await apt(installMs, 'install', '--yes', '--no-install-recommends', ...wanted);
  if (code === 0) return undefined;
  return `no Docker engine answers, and docker.io cannot be installed: ${problem ?? stderr.trim().split('\n').at(-1)}`;
}
