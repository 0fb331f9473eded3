const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const RANDOM_LENGTH = 24;

/**
 * A run id that no other caller makes (120 random bits). Because the caller knows it before the first try, a try that
 * is repeated after a lost answer names the same run. The two digits spread runs over the partitions.
 */
export function newRunId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(RANDOM_LENGTH + 2));
  let id = `${bytes[0]! % 10}${bytes[1]! % 10}-`;
  for (let index = 2; index < bytes.length; index += 1) id += ALPHABET[bytes[index]! & 31];
  return id;
}
