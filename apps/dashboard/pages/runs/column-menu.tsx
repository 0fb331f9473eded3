import { DropdownMenu } from 'radix-ui';
import { RUN_COLUMNS } from './run-table.tsx';

/** Lists know the steps of a run only once it has been looked at. */
const STANDARD = 'steps';
const STORE = 'flotilla.runs.hidden-columns';

/** The address says which columns are left out; without it this browser's last choice holds. */
export function useHiddenColumns(hide: string | undefined, onChange: (next: { hide: string }) => void) {
  const text = hide ?? localStorage.getItem(STORE) ?? STANDARD;
  const hidden = text.split('.').filter(Boolean);
  const toggle = (id: string) => {
    const next = hidden.includes(id) ? hidden.filter((each) => each !== id) : [...hidden, id];
    localStorage.setItem(STORE, next.join('.'));
    onChange({ hide: next.join('.') });
  };
  return { hidden, toggle };
}

export function ColumnMenu({ hidden, toggle }: { hidden: readonly string[]; toggle: (id: string) => void }) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger className="button">
        Columns <span aria-hidden="true">▾</span>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="start" sideOffset={4}>
          {RUN_COLUMNS.filter(({ id }) => id !== 'run').map(({ id, header }) => (
            <DropdownMenu.CheckboxItem
              key={id}
              className="menu-item"
              checked={!hidden.includes(id)}
              onCheckedChange={() => toggle(id)}
              onSelect={(event) => event.preventDefault()}
            >
              <span className="tick">
                <DropdownMenu.ItemIndicator>✓</DropdownMenu.ItemIndicator>
              </span>
              {header}
            </DropdownMenu.CheckboxItem>
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
