import { useState } from 'react';
import { CopyIcon } from './icon.tsx';

/** Copies text. Over plain http browsers have no clipboard for scripts: there a selection is copied the old way. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'visually-hidden';
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}

const SHOWN_MS = 1200;

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = (event: React.MouseEvent) => {
    event.preventDefault();
    event.stopPropagation();
    void copyText(text).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), SHOWN_MS);
    });
  };
  return (
    <button type="button" className="icon-button copy" onClick={copy} title={isCopied ? 'Copied' : `Copy ${what}`}>
      <CopyIcon />
      <span className="visually-hidden">{isCopied ? 'Copied' : `Copy ${what}`}</span>
    </button>
  );
}
