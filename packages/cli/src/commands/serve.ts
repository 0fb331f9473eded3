import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import type { Terminal } from '../terminal.ts';
import { type App, programFile } from '../up/program-files.ts';

const DESCRIPTIONS: Readonly<Record<App, string>> = {
  scheduler: 'run one scheduler in this process, as an image does; set it up by environment variables',
  worker: 'run one worker in this process, as an image does; set it up by environment variables',
  dashboard: 'run the dashboard in this process, as an image does; set it up by environment variables',
};

export function schedulerCommand(terminal: Terminal): Command {
  return serveCommand('scheduler', terminal);
}

export function workerCommand(terminal: Terminal): Command {
  return serveCommand('worker', terminal);
}

export function dashboardCommand(terminal: Terminal): Command {
  return serveCommand('dashboard', terminal);
}

/** From here on the process is the program's: it takes the signals, and ends when it is done. */
function serveCommand(app: App, terminal: Terminal): Command {
  return new Command(app).description(DESCRIPTIONS[app]).action(async () => {
    const file = programFile(app);
    terminal.releaseSignals();
    await import(pathToFileURL(file).href);
  });
}
