import type { ProblemList } from './problem-list.ts';

const DOTTED_PATH = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/;
/** Words that CEL does not take after a dot, or at all. */
const CEL_WORDS: ReadonlySet<string> = new Set(['true', 'false', 'null', 'in']);

/**
 * A legacy condition was a dotted path into the run's context, true for every value that is there. It becomes an
 * expression that is true when the path is there in the run's input and its value is none of null, false, 0 and "".
 * Anything else is CEL already and stays as it is.
 */
export function migrateLegacyCondition(when: string, path: string, problems: ProblemList): string {
  const condition = when.trim();
  const keys = condition.split('.');
  const isRooted = keys.length > 1 && (keys[0] === 'run' || keys[0] === 'steps');
  if (!DOTTED_PATH.test(condition) || CEL_WORDS.has(condition) || isRooted) return when;
  const message = 'the path is read from the input of the run, and is no longer true for false, 0 and the empty text';
  problems.warning('LEGACY_VALUE_CHANGED', path, message);
  const parts: string[] = [];
  let read = 'run.input';
  for (const key of keys) {
    read += CEL_WORDS.has(key) ? `["${key}"]` : `.${key}`;
    parts.push(`has(${read})`);
  }
  parts.push(`!(${read} in [null, false, 0, ""])`);
  return parts.join(' && ');
}
