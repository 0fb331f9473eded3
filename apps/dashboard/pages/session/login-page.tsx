import { useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { BASE, changeApi } from '../api/call-api.ts';
import { useSession } from '../api/session.ts';
import { problemText } from '../parts/confirm.tsx';

/** Takes an API key. It travels in the body of one request, and stays with the server. */
export function LoginPage() {
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const session = useSession();
  const { next } = useSearch({ strict: false }) as { next?: string };
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const logIn = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const key = String(new FormData(event.currentTarget).get('key') ?? '').trim();
    setBusy(true);
    setProblem(undefined);
    try {
      await changeApi('POST', '/session', { key });
      await queryClient.resetQueries();
      if (next === 'queues') window.location.assign(`${BASE}queues/`);
      else if (window.location.pathname.endsWith('/login')) await navigate({ to: '/' });
    } catch (error) {
      setProblem(problemText(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="card login">
      <form className="body stack loose" onSubmit={logIn}>
        <h1>Log in</h1>
        <p className="muted">
          This deployment asks for an API key. What you may see and do here follows from the key's scopes.
        </p>
        {session.data?.loggedIn ? <p>You are logged in. Another key takes the place of the present one.</p> : null}
        <label className="field">
          <span className="label">API key</span>
          <input type="password" name="key" required autoComplete="current-password" spellCheck={false} />
        </label>
        {problem === undefined ? null : (
          <p className="problem-text" role="alert">
            {problem}
          </p>
        )}
        <div>
          <button type="submit" className="button primary" disabled={isBusy}>
            {isBusy ? 'Checking…' : 'Log in'}
          </button>
        </div>
      </form>
    </div>
  );
}
