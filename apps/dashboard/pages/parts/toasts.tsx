import { useSyncExternalStore } from 'react';
import type { Role } from '../states.ts';
import { CloseIcon } from './icon.tsx';

interface Toast {
  id: number;
  role: Role;
  text: string;
}

const SHOWN_MS = 8000;
let toasts: readonly Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function change(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

/** Says what became of something the user did. Problems stay until they are closed. */
export function toast(role: Role, text: string): void {
  const id = nextId++;
  change([...toasts, { id, role, text }]);
  if (role !== 'red') setTimeout(() => dismiss(id), SHOWN_MS);
}

function dismiss(id: number): void {
  change(toasts.filter((each) => each.id !== id));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map(({ id, role, text }) => (
        <div key={id} className={`toast role-${role}`}>
          <span className="message">{text}</span>
          <button type="button" className="icon-button" onClick={() => dismiss(id)} aria-label="Close">
            <CloseIcon />
          </button>
        </div>
      ))}
    </div>
  );
}
