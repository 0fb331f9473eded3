import { DropdownMenu } from 'radix-ui';

export interface MenuItem {
  label: string;
  onSelect: () => void;
  isDangerous?: boolean;
  isDisabled?: boolean;
}

/** A button that opens a list of actions. Not modal: the page behind it stays usable. */
export function Menu({ label, items }: { label: string; items: readonly MenuItem[] }) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger className="button">
        {label} <span aria-hidden="true">▾</span>
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="end" sideOffset={4}>
          {items.map(({ label: text, onSelect, isDangerous = false, isDisabled = false }) => (
            <DropdownMenu.Item
              key={text}
              className={`menu-item${isDangerous ? ' danger' : ''}`}
              disabled={isDisabled}
              onSelect={onSelect}
            >
              {text}
            </DropdownMenu.Item>
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
