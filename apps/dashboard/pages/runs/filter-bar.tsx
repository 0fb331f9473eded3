import { useEffect, useState } from 'react';
import { useCounts, useWorkflows } from '../api/fleet.ts';
import { RUN_LOOKS, RUN_STATUS_ORDER, waitWords } from '../states.ts';
import { isEmptyFilter, type RunFilter } from './run-filter.ts';

export interface FilterProps {
  filter: RunFilter;
  onChange: (filter: RunFilter) => void;
}

const SPANS = [
  ['15m', 'last 15 min'],
  ['1h', 'last hour'],
  ['24h', 'last 24 hours'],
  ['7d', 'last 7 days'],
] as const;
const PLAIN_REASONS = ['queued', 'backing-off', 'delay', 'breaker', 'no-handler', 'agent-health', 'storage', 'paused'];

/** Every filter stands in the address. */
export function FilterBar({ filter, onChange }: FilterProps) {
  const workflows = useWorkflows();
  const counts = useCounts();
  const names = [...new Set(workflows.data?.map(({ name }) => name))].sort();
  const reasons = [...new Set([...PLAIN_REASONS, ...Object.keys(counts.data?.counts?.waiting ?? {})])];
  const set = (name: keyof RunFilter) => (value: string) => onChange({ ...filter, [name]: value });
  return (
    <search className="filters">
      <Choice label="Status" value={filter.status} onChange={set('status')}>
        {RUN_STATUS_ORDER.map((status) => (
          <option key={status} value={status}>
            {RUN_LOOKS[status].word}
          </option>
        ))}
      </Choice>
      <Choice label="Workflow" value={filter.workflow} onChange={set('workflow')}>
        {withCurrent(names, filter.workflow).map((name) => (
          <option key={name}>{name}</option>
        ))}
      </Choice>
      <Choice label="Waiting for" value={filter.waiting} onChange={set('waiting')}>
        {withCurrent(reasons, filter.waiting).map((reason) => (
          <option key={reason} value={reason}>
            {waitWords(...(reason.split(':', 2) as [string, string?]))}
          </option>
        ))}
      </Choice>
      <Choice label="Started" value={filter.from} onChange={set('from')}>
        {SPANS.map(([span, words]) => (
          <option key={span} value={span}>
            {words}
          </option>
        ))}
      </Choice>
      <Text label="Tag" value={filter.tag} onChange={set('tag')} />
      <div className="grow">
        <Text
          label="Any id"
          hint="run, attempt, idempotency key or trace"
          value={filter.id}
          onChange={set('id')}
          isMain
        />
      </div>
      {isEmptyFilter(filter) ? null : (
        <button type="button" className="button" onClick={() => onChange({})}>
          Clear
        </button>
      )}
    </search>
  );
}

/** A value that is filtered by is in its list, whatever there is now. */
function withCurrent(values: readonly string[], current: string | undefined): readonly string[] {
  return current === undefined || values.includes(current) ? values : [current, ...values];
}

interface PartProps {
  label: string;
  value: string | undefined;
  onChange: (value: string) => void;
}

function Choice({ label, value, onChange, children }: PartProps & { children: React.ReactNode }) {
  return (
    <label className="field">
      <span className="label">{label}</span>
      <select value={value ?? ''} onChange={(event) => onChange(event.target.value)}>
        <option value="">any</option>
        {children}
      </select>
    </label>
  );
}

/** Takes effect with Enter or when it is left, not with every letter. */
function Text({ label, hint, value = '', onChange, isMain = false }: PartProps & { hint?: string; isMain?: boolean }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const apply = () => {
    if (text.trim() !== value) onChange(text.trim());
  };
  return (
    <form
      className="field"
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
          placeholder={hint}
          spellCheck={false}
          data-filter={isMain ? '' : undefined}
          onChange={(event) => setText(event.target.value)}
          onBlur={apply}
        />
      </label>
    </form>
  );
}
