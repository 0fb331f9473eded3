import type { Role } from '../states.ts';

/** A share of a whole as a bar; the number stands beside it. */
export function Bar({ share, colour }: { share: number; colour?: Role }) {
  const width = `${Math.min(100, Math.max(0, share * 100))}%`;
  return (
    <span className={`bar${colour === undefined ? '' : ` role-${colour}`}`} aria-hidden="true">
      <span style={{ width }} />
    </span>
  );
}
