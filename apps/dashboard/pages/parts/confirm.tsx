import { useState } from 'react';
import { ApiProblem } from '../api/call-api.ts';
import { Dialog } from './dialog.tsx';

export interface ConfirmProps {
  title: string;
  /** What it will do, in full. */
  children: React.ReactNode;
  action: string;
  isDangerous?: boolean;
  /** Has to be typed first: for what touches much. */
  typed?: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

/** Says what will happen and asks once more. A failure is shown here, and nothing typed is lost. */
export function Confirm({ title, children, action, isDangerous = false, typed, onConfirm, onClose }: ConfirmProps) {
  const [text, setText] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const confirm = async (event: React.FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setProblem(problemText(error));
      setBusy(false);
    }
  };
  const isLocked = isBusy || (typed !== undefined && text !== typed);
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={confirm}>
        <div className="stack">{children}</div>
        {typed === undefined ? null : (
          <label className="field">
            <span className="label">
              Type <strong>{typed}</strong> to confirm
            </span>
            <input type="text" value={text} onChange={(event) => setText(event.target.value)} autoComplete="off" />
          </label>
        )}
        {problem === undefined ? null : (
          <p className="problem-text" role="alert">
            {problem}
          </p>
        )}
        <div className="actions">
          <button type="button" className="button" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" className={`button primary${isDangerous ? ' danger' : ''}`} disabled={isLocked}>
            {isBusy ? 'Working…' : action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function problemText(error: unknown): string {
  if (!(error instanceof ApiProblem)) return error instanceof Error ? error.message : String(error);
  const more = error.problems.slice(0, 5).map(({ path, message }) => `${path} ${message}`.trim());
  return [`${error.message} (${error.code})`, ...more].join('\n');
}
