/**
 * The first dotted number in a text, such as `v24.21.0`, `Redis server v=7.0.15 sha=…` or `5:7.0.15-1~deb12u10`
 * (a Debian epoch is not part of it).
 * @param {string} text
 * @returns {{ major: number, minor: number, patch: number } | undefined}
 */
export function parseVersion(text) {
  const match = /(?:^|[^\d.])(?:\d+:)?(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  if (match === null) return undefined;
  return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3] ?? 0) };
}

/**
 * @param {{ major: number, minor: number }} version
 * @param {number} major
 * @param {number} [minor]
 */
export function isAtLeast(version, major, minor = 0) {
  return version.major > major || (version.major === major && version.minor >= minor);
}

/** @param {{ major: number, minor: number, patch: number }} version */
export function formatVersion({ major, minor, patch }) {
  return `${major}.${minor}.${patch}`;
}
