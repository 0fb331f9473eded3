import type { IconName } from '../states.ts';

const PATHS: Record<IconName, React.ReactNode> = {
  hollow: <circle cx="8" cy="8" r="5.5" />,
  dotted: <circle cx="8" cy="8" r="5.5" strokeDasharray="2.2 2.1" />,
  ring: (
    <>
      <circle cx="8" cy="8" r="5.5" opacity="0.3" />
      <path className="spin" d="M8 2.5a5.5 5.5 0 0 1 5.5 5.5" />
    </>
  ),
  again: <path d="M13 8a5 5 0 1 1-1.7-3.75M13 2.5v2.7h-2.7" />,
  parked: (
    <>
      <circle cx="8" cy="8" r="5.5" />
      <path d="M6.5 6v4M9.5 6v4" />
    </>
  ),
  check: <path d="m3.5 8.5 3 3 6-7" />,
  cross: <path d="m4 4 8 8M12 4l-8 8" />,
  slash: (
    <>
      <circle cx="8" cy="8" r="5.5" />
      <path d="m4.2 11.8 7.6-7.6" />
    </>
  ),
  clock: (
    <>
      <circle cx="8" cy="8" r="5.5" />
      <path d="M8 5v3.2l2 1.3" />
    </>
  ),
  dash: <path d="M4 8h8" />,
  shield: <path d="M8 2.2 3.2 4v3.8c0 2.8 2 4.9 4.8 6 2.8-1.1 4.8-3.2 4.8-6V4zM6 6l4 4M10 6l-4 4" />,
  hand: (
    <path d="M5 8V4.2a1 1 0 0 1 2 0V7m0-3.8a1 1 0 0 1 2 0V7m0-2.8a1 1 0 0 1 2 0V9c0 3-1.5 4.8-3.700 4.8S4.400 12.6 3.2 9.8C2.900 9 4 8.3 4.6 9l.4.6" />
  ),
  bell: <path d="M4.2 11V7.5a3.8 3.8 0 0 1 7.6 0V11l1 1.3H3.2zM6.8 13.8h2.400" />,
  warning: <path d="M8 2.5 1.8 13.2h12.4zM8 6.5v3M8 11.3v.2" />,
};

/** Drawn with the colour of the text around it. It says nothing by itself: a word stands beside it. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.7" aria-hidden="true" focusable="false">
      {PATHS[name]}
    </svg>
  );
}

export function CopyIcon() {
  return (
    <svg viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.4" aria-hidden="true" focusable="false">
      <rect x="5.5" y="5.5" width="7.5" height="8" rx="1.5" />
      <path d="M10.5 5.5V4A1.5 1.5 0 0 0 9 2.5H4.5A1.5 1.5 0 0 0 3 4v5.5A1.5 1.5 0 0 0 4.5 11h1" />
    </svg>
  );
}

export function CloseIcon() {
  return (
    <svg viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.6" aria-hidden="true" focusable="false">
      <path d="m4 4 8 8M12 4l-8 8" />
    </svg>
  );
}
