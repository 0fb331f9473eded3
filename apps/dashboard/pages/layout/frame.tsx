import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { BASE, changeApi } from '../api/call-api.ts';
import { useIsLive } from '../api/live-feed.ts';
import { type Session, useSession } from '../api/session.ts';
import logo from '../flotilla.svg';
import { TIME_ZONE } from '../format.ts';
import { Toasts } from '../parts/toasts.tsx';
import { LoginPage } from '../session/login-page.tsx';
import { KeyboardHelp } from './keyboard-help.tsx';

const GROUPS = [
  {
    name: undefined,
    links: [
      { to: '/', label: 'Overview' },
      { to: '/runs', label: 'Runs' },
      { to: '/errors', label: 'Errors' },
      { to: '/dead-letters', label: 'Dead letters' },
    ],
  },
  {
    name: 'Fleet',
    links: [
      { to: '/agents', label: 'Agents' },
      { to: '/breakers', label: 'Breakers' },
      { to: '/task-queues', label: 'Queues' },
    ],
  },
  {
    name: 'Work',
    links: [
      { to: '/workflows', label: 'Workflows' },
      { to: '/bulk', label: 'Bulk jobs' },
      { to: '/compare', label: 'Compare' },
      { to: '/settings', label: 'Settings' },
    ],
  },
] as const;

/** What stands around every page. */
export function Frame() {
  const session = useSession();
  const path = useRouterState({ select: ({ location }) => location.pathname });
  const [isOpen, setOpen] = useState(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the menu closes when the page changes
  useEffect(() => setOpen(false), [path]);
  const isLocked = session.data?.needsKey === true;
  return (
    <div className="frame">
      <a className="skip" href="#main">
        To the content
      </a>
      <aside className={`side${isOpen ? ' open' : ''}`}>
        <div className="side-top">
          <Link to="/" className="brand">
            <img src={logo} alt="" width="22" height="22" /> Flotilla
          </Link>
          <button
            type="button"
            className="button menu-button"
            aria-expanded={isOpen}
            onClick={() => setOpen((before) => !before)}
          >
            Menu
          </button>
        </div>
        <Navigation />
        <Foot session={session.data} />
      </aside>
      <main id="main" tabIndex={-1}>
        {isLocked ? <LoginPage /> : <Outlet />}
      </main>
      <Toasts />
      <KeyboardHelp />
    </div>
  );
}

function Navigation() {
  return (
    <nav aria-label="Pages">
      {GROUPS.map(({ name, links }) => (
        <div key={name ?? ''}>
          {name === undefined ? null : <p className="group-name">{name}</p>}
          <ul>
            {links.map(({ to, label }) => (
              <li key={to}>
                <Link to={to} activeOptions={{ exact: to === '/', includeSearch: false }}>
                  {label}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
      <ul>
        <li>
          <a href={`${BASE}queues/`}>Bull dashboard</a>
        </li>
      </ul>
    </nav>
  );
}

function Foot({ session }: { session: Session | undefined }) {
  const isLive = useIsLive();
  const logOut = async () => {
    await changeApi('DELETE', '/session');
    window.location.assign(`${BASE}login`);
  };
  return (
    <div className="side-foot">
      <span title="Whether changes are shown as they happen, or the pages are read again every few seconds">
        {isLive ? 'Live' : 'Refreshed every 2 s'}
      </span>
      <span>Times in {TIME_ZONE}</span>
      <span>
        <kbd>?</kbd> shows the keys
      </span>
      {session?.loggedIn ? (
        <button type="button" className="button small" onClick={() => void logOut()}>
          Log out
        </button>
      ) : null}
    </div>
  );
}
