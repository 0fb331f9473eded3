import { createInterface } from 'node:readline/promises';

/**
 * Whether something outside the project folder may be changed. Yes when FLOTILLA_ALLOW_INSTALL=1; else a person at a
 * terminal is asked; else no.
 * @param {string} question
 * @param {NodeJS.ProcessEnv} [env]
 */
export async function mayInstall(question, env = process.env) {
  if (env.FLOTILLA_ALLOW_INSTALL !== undefined) return env.FLOTILLA_ALLOW_INSTALL === '1';
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`flotilla: ${question} [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
