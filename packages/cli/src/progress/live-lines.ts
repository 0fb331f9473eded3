import type { Terminal } from '../terminal.ts';

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_BELOW = '\u001b[J';

/** Lines at the bottom of a terminal that are drawn again in place. */
export class LiveLines {
  readonly #terminal: Terminal;
  #drawn = 0;
  #started = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  draw(lines: readonly string[]): void {
    const start = this.#started ? '' : HIDE_CURSOR;
    this.#started = true;
    this.#terminal.write(`${start}${this.#back()}${lines.map((line) => `${line}\n`).join('')}`);
    this.#drawn = lines.length;
  }

  /** Leaves the last lines where they are and gives the cursor back. Safe to call twice. */
  end(): void {
    if (this.#started) this.#terminal.write(SHOW_CURSOR);
    this.#started = false;
    this.#drawn = 0;
  }

  #back(): string {
    return this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\r${CLEAR_BELOW}`;
  }
}
