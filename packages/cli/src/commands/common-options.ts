import { type Command, InvalidArgumentError } from 'commander';

/** Options of every command. */
export interface CommonOptions {
  json?: boolean;
  debug?: boolean;
}

/** Options of the commands that talk to a scheduler. */
export interface RemoteOptions extends CommonOptions {
  url?: string;
  apiKey?: string;
}

export function withCommon(command: Command): Command {
  return command
    .option('--json', 'print one JSON document and nothing else')
    .option('--debug', 'show the stack of an error');
}

export function withRemote(command: Command): Command {
  return withCommon(command)
    .option('--url <url>', 'the scheduler (default: FLOTILLA_URL, else http://127.0.0.1:7070)')
    .option('--api-key <key>', 'default: FLOTILLA_API_KEY');
}

/** For options that take a whole number of a range. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
    }
    return value;
  };
}

/** For options that take any finite number that is not negative. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('expected a number that is not negative');
  }
  return value;
}
