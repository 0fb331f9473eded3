import { spawn } from 'node:child_process';

/**
 * Reads process ids from a pipe. When the pipe closes because its writer has ended without saying "dismiss" (kill -9),
 * it ends the command first, waits for it at most 30 s, and then ends Redis, which writes its file before it goes.
 */
const script = `
# A zombie, which a container's first process may never collect, does not live.
lives() {
  kill -0 "$1" 2>/dev/null || return 1
  if [ -r "/proc/$1/stat" ]; then
    read -r status 2>/dev/null < "/proc/$1/stat" || return 1
    case "$status" in *") Z "*) return 1 ;; esac
  fi
  return 0
}
command= server=
while read -r what pid; do
  case "$what" in
    command) command=$pid ;;
    server) server=$pid ;;
    dismiss) exit 0 ;;
  esac
done
if [ -n "$command" ]; then
  kill -TERM "$command" 2>/dev/null
  waited=0
  while lives "$command" && [ "$waited" -lt 30 ]; do
    sleep 1
    waited=$((waited + 1))
  done
fi
if [ -n "$server" ]; then kill -TERM "$server" 2>/dev/null; fi
`;

/** Sees to it that nothing is left running when this process is killed in a way that it cannot notice. */
export class Watchdog {
  #shell;

  constructor() {
    // Its own group: Ctrl-C and a killed terminal must not end it together with us.
    this.#shell = spawn('sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    this.#shell.on('error', () => {}); // without a shell, the next start finds the orphan and stops it
    this.#shell.stdin.on('error', () => {});
    this.#shell.unref();
    this.#shell.stdin.unref?.();
  }

  /** @param {{ commandPid?: number | undefined, serverPid?: number | undefined }} processes undefined: it has ended */
  watch(processes) {
    if ('commandPid' in processes) this.#tell(`command ${processes.commandPid ?? ''}`);
    if ('serverPid' in processes) this.#tell(`server ${processes.serverPid ?? ''}`);
  }

  /** Everything was stopped in order. Returns when the shell has ended, so that it is not left as a zombie. */
  async dismiss() {
    const ended = new Promise((resolve) => {
      this.#shell.once('exit', resolve);
      this.#shell.once('error', resolve);
    });
    if (this.#shell.pid === undefined || this.#shell.exitCode !== null || this.#shell.signalCode !== null) return;
    this.#shell.ref();
    this.#tell('dismiss');
    this.#shell.stdin.end();
    await ended;
  }

  #tell(line) {
    if (this.#shell.stdin.writable) this.#shell.stdin.write(`${line}\n`);
  }
}
