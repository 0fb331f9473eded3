import { createHash, randomBytes } from 'node:crypto';

/**
 * A short name that no other test file or run uses, such as `t4f2a91c3`: letters and digits only, so it can stand
 * in keys, hash tags and queue names. Call it once a file: `const namespace = testNamespace(import.meta.url)`.
 */
export function testNamespace(fileUrl: string): string {
  return `t${createHash('sha256').update(fileUrl).update(randomBytes(16)).digest('hex').slice(0, 8)}`;
}
