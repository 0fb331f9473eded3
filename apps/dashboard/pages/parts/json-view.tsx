import { bytes } from '../format.ts';
import { CopyButton } from './copy.tsx';

/** Longer texts are cut on the page: all of it can be copied. */
const MAX_SHOWN_CHARACTERS = 40_000;

interface HiddenPayload {
  hidden: { bytes: number; sha256: string };
}

function isHidden(value: unknown): value is HiddenPayload {
  const { hidden } = (typeof value === 'object' && value !== null ? value : {}) as Partial<HiddenPayload>;
  return typeof hidden?.bytes === 'number' && typeof hidden.sha256 === 'string';
}

/** A payload as JSON; of one that this key may not see its size and hash. */
export function JsonView({ value, what }: { value: unknown; what: string }) {
  if (value === undefined) return <p className="muted">None.</p>;
  if (isHidden(value)) {
    return (
      <p className="muted">
        {bytes(value.hidden.bytes)}, SHA-256{' '}
        <code title={value.hidden.sha256}>{value.hidden.sha256.slice(0, 12)}…</code>. This key may not see what runs
        carry (scope <code>payloads</code>).
      </p>
    );
  }
  const text = JSON.stringify(value, undefined, 2);
  return (
    <div className="stack">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard */}
      <section className="code-block" tabIndex={0} aria-label={what}>
        <pre>{text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}\n…` : text}</pre>
      </section>
      <div className="row always">
        <span className="muted">{bytes(new Blob([text]).size)}</span>
        <CopyButton text={text} what={what} />
      </div>
    </div>
  );
}
