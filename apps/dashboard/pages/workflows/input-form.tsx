import type { InputField } from './input-fields.ts';

export interface InputFormProps {
  fields: readonly InputField[];
  values: Readonly<Record<string, string>>;
  onChange: (values: Record<string, string>) => void;
}

export function InputForm({ fields, values, onChange }: InputFormProps) {
  return (
    <fieldset className="stack" style={{ border: 0, margin: 0, padding: 0 }}>
      <legend className="visually-hidden">Input</legend>
      {fields.map((field) => (
        // biome-ignore lint/a11y/noLabelWithoutControl: the control is in it, in a component
        <label key={field.name} className="field">
          <span className="label">
            {field.title}
            {field.isRequired ? ' *' : ''}
            {field.description === undefined ? '' : ` – ${field.description}`}
          </span>
          <Control
            field={field}
            value={values[field.name] ?? ''}
            onChange={(value) => onChange({ ...values, [field.name]: value })}
          />
        </label>
      ))}
    </fieldset>
  );
}

interface ControlProps {
  field: InputField;
  value: string;
  onChange: (value: string) => void;
}

function Control({ field: { kind, choices, isRequired }, value, onChange }: ControlProps) {
  if (kind === 'boolean' || kind === 'choice') {
    return (
      <select value={value} required={isRequired} onChange={(event) => onChange(event.target.value)}>
        <option value="">{isRequired ? 'choose' : 'not given'}</option>
        {(kind === 'boolean' ? ['true', 'false'] : choices).map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  }
  if (kind === 'json') {
    return (
      <textarea
        rows={4}
        value={value}
        required={isRequired}
        placeholder="JSON"
        spellCheck={false}
        onChange={(event) => onChange(event.target.value)}
      />
    );
  }
  return (
    <input
      type={kind === 'text' ? 'text' : 'number'}
      step={kind === 'integer' ? 1 : 'any'}
      value={value}
      required={isRequired}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}
