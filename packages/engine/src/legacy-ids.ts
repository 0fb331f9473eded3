import { isLegalId, type LegacyDefinition } from '@flotilla/contracts';
import { stepPointer } from './check-form.ts';
import { type ProblemList, shorten } from './problem-list.ts';

const MAX_ID_CHARACTERS = 128;

/** The nearest legal id: illegal characters become `-`. */
export function deriveId(text: string): string {
  const isLegal: boolean = isLegalId(text);
  if (isLegal) return text;
  const plain = text
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|-+$/g, '')
    .slice(0, MAX_ID_CHARACTERS);
  return isLegalId(plain) ? plain : `id-${plain}`.slice(0, MAX_ID_CHARACTERS).replace(/-+$/, '');
}

/**
 * The steps of a legacy document by their old names and their new ids. A step is known by its key in `steps`; where no
 * key fits, a name may be the `id` that a step says of itself.
 */
export class LegacyIds {
  readonly #idOfKey = new Map<string, string>();
  readonly #keyOfOwnId = new Map<string, string>();

  constructor(legacy: LegacyDefinition, problems: ProblemList) {
    const taken = new Set(Object.keys(legacy.steps).filter(isLegalId));
    for (const [key, step] of Object.entries(legacy.steps)) {
      const path = stepPointer(key);
      const id = isLegalId(key) ? key : freeId(deriveId(key), taken);
      taken.add(id);
      this.#idOfKey.set(key, id);
      if (!this.#keyOfOwnId.has(step.id)) this.#keyOfOwnId.set(step.id, key);
      if (id !== key) problems.warning('LEGACY_VALUE_CHANGED', path, `the step's id becomes ${id}`);
      else if (step.id !== key) {
        const message = `the step says that its id is ${shorten(step.id, 60)}; its key in steps is used`;
        problems.warning('LEGACY_VALUE_CHANGED', `${path}/id`, message);
      }
    }
  }

  /** The key of the step that `next`, `to` or `entry` names. */
  keyOf(name: string): string | undefined {
    return this.#idOfKey.has(name) ? name : this.#keyOfOwnId.get(name);
  }

  /** The new id of a step by its key. */
  idOf(key: string): string {
    const id = this.#idOfKey.get(key);
    if (id === undefined) throw new RangeError('the legacy document has no such step');
    return id;
  }
}

function freeId(wanted: string, taken: ReadonlySet<string>): string {
  if (!taken.has(wanted)) return wanted;
  for (let number = 2; ; number += 1) {
    const suffix = `-${number}`;
    const id = wanted.slice(0, MAX_ID_CHARACTERS - suffix.length) + suffix;
    if (!taken.has(id)) return id;
  }
}
