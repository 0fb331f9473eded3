import { DropdownMenu } from 'radix-ui';
import { useState } from 'react';
import { Confirm } from '../parts/confirm.tsx';
import type { FilterProps } from './filter-bar.tsx';
import { isEmptyFilter, type RunFilter } from './run-filter.ts';

interface SavedView {
  name: string;
  filter: RunFilter;
}

const STORE = 'flotilla.runs.views';
const BUILT_IN: readonly SavedView[] = [
  { name: 'Running', filter: { status: 'running' } },
  { name: 'Failed in the last 24 hours', filter: { status: 'failed', from: '24h' } },
  { name: 'Waiting for a breaker', filter: { waiting: 'breaker' } },
  { name: 'Waiting for a worker', filter: { waiting: 'queued' } },
  { name: 'Backing off', filter: { waiting: 'backing-off' } },
];

function readViews(): SavedView[] {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORE) ?? '[]');
    return Array.isArray(stored) ? (stored as SavedView[]) : [];
  } catch {
    return [];
  }
}

/** Filters with a name: some for everybody, others of this browser. A view is shared by its address. */
export function SavedViews({ filter, onChange }: FilterProps) {
  const [views, setViews] = useState(readViews);
  const [isNaming, setNaming] = useState(false);
  const save = (next: SavedView[]) => {
    localStorage.setItem(STORE, JSON.stringify(next));
    setViews(next);
  };
  const item = ({ name, filter: of }: SavedView) => (
    <DropdownMenu.Item key={name} className="menu-item" onSelect={() => onChange(of)}>
      {name}
    </DropdownMenu.Item>
  );
  return (
    <>
      <DropdownMenu.Root modal={false}>
        <DropdownMenu.Trigger className="button">
          Views <span aria-hidden="true">▾</span>
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal>
          <DropdownMenu.Content className="menu" align="start" sideOffset={4}>
            {BUILT_IN.map(item)}
            {views.length === 0 ? null : <hr />}
            {views.map(item)}
            <hr />
            <DropdownMenu.Item className="menu-item" disabled={isEmptyFilter(filter)} onSelect={() => setNaming(true)}>
              Save this filter…
            </DropdownMenu.Item>
            {views.map(({ name }) => (
              <DropdownMenu.Item
                key={name}
                className="menu-item danger"
                onSelect={() => save(views.filter((view) => view.name !== name))}
              >
                Forget “{name}”
              </DropdownMenu.Item>
            ))}
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
      {isNaming ? (
        <NameView
          onClose={() => setNaming(false)}
          onName={(name) => save([...views.filter((view) => view.name !== name), { name, filter }])}
        />
      ) : null}
    </>
  );
}

function NameView({ onClose, onName }: { onClose: () => void; onName: (name: string) => void }) {
  const [name, setName] = useState('');
  const confirm = async () => {
    if (name.trim() === '') throw new Error('Give it a name.');
    onName(name.trim());
  };
  return (
    <Confirm title="Save this filter as a view" action="Save" onConfirm={confirm} onClose={onClose}>
      <label className="field">
        <span className="label">Name</span>
        <input type="text" value={name} maxLength={60} onChange={(event) => setName(event.target.value)} />
      </label>
    </Confirm>
  );
}
