import { createHash } from 'node:crypto';
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Editors write a file in several steps, and save several files at once. */
const SETTLE_MS = 60;

/**
 * Tells when the content of one of its files has changed. Folders are watched, not files: many editors save by putting
 * another file in the place of the old one.
 */
export class WatchedFiles {
  readonly #onChange: (files: readonly string[]) => void;
  /** What each file had in it when it was last looked at; undefined: it cannot be read. */
  readonly #contents = new Map<string, string | undefined>();
  readonly #folders = new Map<string, FSWatcher>();
  readonly #touched = new Set<string>();
  #settling: NodeJS.Timeout | undefined;

  constructor(onChange: (files: readonly string[]) => void) {
    this.#onChange = onChange;
  }

  add(file: string): void {
    if (this.#contents.has(file)) return;
    this.#contents.set(file, contentOf(file));
    const folder = dirname(file);
    if (this.#folders.has(folder)) return;
    const watcher = watch(folder, (_event, name) => this.#touch(folder, name));
    watcher.on('error', () => watcher.close()); // the folder is gone, and its files with it
    this.#folders.set(folder, watcher);
  }

  close(): void {
    clearTimeout(this.#settling);
    for (const watcher of this.#folders.values()) watcher.close();
  }

  #touch(folder: string, name: string | null): void {
    for (const file of this.#contents.keys()) {
      if (dirname(file) === folder && (name === null || basename(file) === basename(name)))
        this.#touched.add(join(file));
    }
    if (this.#touched.size === 0) return;
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#look(), SETTLE_MS);
  }

  #look(): void {
    const changed = [...this.#touched].filter((file) => {
      const before = this.#contents.get(file);
      const now = contentOf(file);
      // In the middle of being replaced: what comes in its place is told by another event.
      if (now === undefined || now === before) return false;
      this.#contents.set(file, now);
      return true;
    });
    this.#touched.clear();
    if (changed.length > 0) this.#onChange(changed);
  }
}

function contentOf(file: string): string | undefined {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('base64');
  } catch {
    return undefined;
  }
}
