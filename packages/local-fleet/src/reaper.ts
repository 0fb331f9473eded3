import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Ends what this process started even when this process is killed, which an exit handler cannot (and inside Jest the
 * `process` object is a copy whose `exit` event never comes). A small shell reads `+ pid`, `- pid` and `d folder`
 * from a pipe; when the pipe closes, because this process ended in whatever way, it kills and removes what is left.
 */
const REAPER_SCRIPT = `
pids=" "; folders=""
while read -r operation value; do
  case "$operation" in
    +) pids="$pids$value " ;;
    -) pids=$(printf %s "$pids" | sed "s/ $value / /") ;;
    d) folders="$folders $value" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
for folder in $folders; do case "$folder" in */flotilla-test-*) rm -rf "$folder" ;; esac; done
`;

let reaper: ChildProcess | undefined;

function tell(line: string): void {
  if (reaper === undefined || reaper.exitCode !== null) {
    // Its own group, so that Ctrl-C ends us first and the reaper then does its work.
    reaper = spawn('sh', ['-c', REAPER_SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    reaper.unref();
    const pipe = reaper.stdin as (ChildProcess['stdin'] & { unref?: () => void }) | null;
    pipe?.unref?.();
    // A reaper that was killed cannot be told anything; the next line starts another.
    pipe?.on('error', () => {
      reaper = undefined;
    });
  }
  reaper.stdin?.write(`${line}\n`);
}

/** Has the process killed when this one ends. */
export function endWithThisProcess(pid: number): void {
  tell(`+ ${pid}`);
}

/** To be called when the process has ended by itself, so that its id may be used again. */
export function hasEnded(pid: number): void {
  tell(`- ${pid}`);
}

/** Has a folder named `flotilla-test-*` removed when this process ends. */
export function removeWithThisProcess(folder: string): void {
  tell(`d ${folder}`);
}
