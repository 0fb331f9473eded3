import { createInterface } from 'node:readline/promises';

/** What the command has of the world around it; tests give their own. */
export interface Terminal {
  write(text: string): void;
  writeError(text: string): void;
  /** Undefined where nobody can answer. */
  ask: ((question: string) => Promise<string>) | undefined;
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Such as process.version. */
  nodeVersion: string;
}

export function processTerminal(): Terminal {
  const interactive = process.stdin.isTTY === true && process.stdout.isTTY === true && process.env['CI'] === undefined;
  return {
    write: (text) => process.stdout.write(text),
    writeError: (text) => process.stderr.write(text),
    ask: interactive ? askPerson : undefined,
    cwd: process.cwd(),
    env: process.env,
    nodeVersion: process.version,
  };
}

async function askPerson(question: string): Promise<string> {
  const reader = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await reader.question(question)).trim();
  } finally {
    reader.close();
  }
}
