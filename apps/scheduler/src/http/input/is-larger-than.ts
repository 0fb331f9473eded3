/**
 * True when the JSON text of a value is certainly longer than the limit. Looks at no more than that many characters, so
 * that a huge value is refused without being turned into text first; false says nothing.
 */
export function isLargerThan(value: unknown, maxCharacters: number): boolean {
  const open: unknown[] = [value];
  let characters = 0;
  while (open.length > 0) {
    const current = open.pop();
    if (typeof current === 'string') {
      characters += current.length + 2;
    } else if (typeof current === 'object' && current !== null) {
      characters += 2;
      if (Array.isArray(current)) {
        if (characters + current.length > maxCharacters) return true;
        for (const item of current) open.push(item);
      } else {
        for (const [key, member] of Object.entries(current)) {
          characters += key.length + 3;
          open.push(member);
        }
      }
    } else {
      characters += 1;
    }
    if (characters > maxCharacters) return true;
  }
  return false;
}
