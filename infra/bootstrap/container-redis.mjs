import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { announce } from './announce.mjs';
import { mayInstall } from './ask.mjs';
import { ownDir, projectDir } from './project-paths.mjs';
import { capture, findOnPath } from './run-program.mjs';

const image = 'redis:7.4-alpine';

/**
 * A program `redis-server` that runs the server in a container, where a Docker engine answers. The image is fetched
 * only when that is allowed. Undefined when there is no engine or no image.
 * @param {{ tools: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<{ path: string } | undefined>}
 */
export async function containerRedis({ tools, env = process.env }) {
  const [docker] = findOnPath('docker', env);
  if (docker === undefined) return undefined;
  const engine = await capture(docker, ['version', '--format', '{{.Server.Version}}'], { env, timeoutMs: 10_000 });
  if (engine.code !== 0) {
    announce('not using Docker: its engine does not answer');
    return undefined;
  }
  const present = await capture(docker, ['image', 'inspect', image], { env, timeoutMs: 30_000 });
  if (present.code !== 0) {
    if (!(await mayInstall(`No Redis was found. Fetch the Docker image ${image}?`, env))) return undefined;
    announce(`fetching the Docker image ${image}`);
    const pulled = await capture(docker, ['pull', image], { env, timeoutMs: 900_000 });
    if (pulled.code !== 0) {
      announce(`docker pull failed: ${pulled.stderr.trim().split('\n').at(-1)}`);
      return undefined;
    }
  }
  const folder = join(tools, 'redis-container');
  const path = join(folder, 'redis-server');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, wrapperScript(docker));
  chmodSync(path, 0o755);
  return { path };
}

/** Takes the arguments of redis-server; `--port` is published on loopback, paths mean the same inside and outside. */
function wrapperScript(docker) {
  return `#!/bin/sh
# redis-server in a container. Made by Flotilla's bootstrap; it may be removed.
case "$1" in
--version) exec ${quote(docker)} run --rm ${image} redis-server --version ;;
esac
port=6379
previous=
for argument in "$@"; do
  if [ "$previous" = --port ]; then port=$argument; fi
  previous=$argument
done
temporary=$(cd "\${TMPDIR:-/tmp}" && pwd -P)
# Inside, the server listens on all addresses; outside, the port is published on loopback only.
exec ${quote(docker)} run --rm --init --user "$(id -u):$(id -g)" \\
  --publish "127.0.0.1:$port:$port" \\
${mounts()}  --mount type=bind,source="$temporary",target="$temporary" \\
  ${image} redis-server "$@" --bind 0.0.0.0 --protected-mode no
`;
}

/** The configuration and the data: in a checkout one folder has both. */
function mounts() {
  const folders = new Set([projectDir, dirname(ownDir)]);
  return [...folders]
    .map((folder) => `  --mount type=bind,source=${quote(folder)},target=${quote(folder)} \\\n`)
    .join('');
}

function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
