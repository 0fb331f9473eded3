import { useEffect, useState } from 'react';
import { useWorkflows } from '../api/fleet.ts';

export interface LetterFilterValues {
  workflow?: string | undefined;
  stepId?: string | undefined;
  use?: string | undefined;
  errorCode?: string | undefined;
  reason?: string | undefined;
}

export interface LetterFilterProps {
  filter: LetterFilterValues;
  onChange: (filter: LetterFilterValues) => void;
}

const TEXTS = [
  ['errorCode', 'Error code'],
  ['use', 'Handler'],
  ['stepId', 'Step'],
] as const;

export function LetterFilter({ filter, onChange }: LetterFilterProps) {
  const workflows = useWorkflows();
  const names = new Set([
    ...(workflows.data?.map(({ name }) => name) ?? []),
    ...(filter.workflow ? [filter.workflow] : []),
  ]);
  return (
    <search className="filters">
      <label className="field">
        <span className="label">Workflow</span>
        <select
          value={filter.workflow ?? ''}
          onChange={(event) => onChange({ ...filter, workflow: event.target.value })}
        >
          <option value="">any</option>
          {[...names].sort().map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <label className="field">
        <span className="label">State</span>
        <select value={filter.reason ?? ''} onChange={(event) => onChange({ ...filter, reason: event.target.value })}>
          <option value="">any</option>
          <option value="failed">failed</option>
          <option value="quarantined">quarantined</option>
        </select>
      </label>
      {TEXTS.map(([name, label], index) => (
        <FilterText
          key={name}
          label={label}
          value={filter[name] ?? ''}
          isMain={index === 0}
          onChange={(value) => onChange({ ...filter, [name]: value })}
        />
      ))}
      {Object.values(filter).some(Boolean) ? (
        <button type="button" className="button" onClick={() => onChange({})}>
          Clear
        </button>
      ) : null}
    </search>
  );
}

interface FilterTextProps {
  label: string;
  value: string;
  isMain: boolean;
  onChange: (value: string) => void;
}

function FilterText({ label, value, isMain, onChange }: FilterTextProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const apply = () => {
    if (text.trim() !== value) onChange(text.trim());
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        apply();
      }}
    >
      <label className="field">
        <span className="label">{label}</span>
        <input
          type="search"
          value={text}
          spellCheck={false}
          data-filter={isMain ? '' : undefined}
          onChange={(event) => setText(event.target.value)}
          onBlur={apply}
        />
      </label>
    </form>
  );
}
