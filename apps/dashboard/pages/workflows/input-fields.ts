/** A part of an input that a form can ask for. */
export interface InputField {
  name: string;
  title: string;
  description: string | undefined;
  kind: 'text' | 'number' | 'integer' | 'boolean' | 'choice' | 'json';
  isRequired: boolean;
  choices: readonly string[];
  initial: string;
}

interface Schema {
  type?: unknown;
  properties?: Record<string, unknown>;
  required?: unknown;
  enum?: unknown;
  title?: unknown;
  description?: unknown;
  default?: unknown;
}

/** The fields of an object schema, or undefined when only JSON can say what is asked for. */
export function fieldsOf(schema: unknown): InputField[] | undefined {
  const { type, properties, required } = (schema ?? {}) as Schema;
  if (type !== 'object' || properties === undefined || Object.keys(properties).length === 0) return undefined;
  const names = new Set(Array.isArray(required) ? required : []);
  const fields = Object.entries(properties).map(([name, property]) =>
    fieldOf(name, property as Schema, names.has(name)),
  );
  // Stored definitions have no order of their own: what is asked for comes first.
  return fields.sort((a, b) => Number(b.isRequired) - Number(a.isRequired));
}

function fieldOf(name: string, schema: Schema, isRequired: boolean): InputField {
  const { title, description, default: standard } = schema;
  const choices = Array.isArray(schema.enum) ? schema.enum.filter((each) => typeof each === 'string') : [];
  const kind = kindOf(schema, choices);
  const isPlain = kind === 'text' || kind === 'choice';
  return {
    name,
    title: typeof title === 'string' ? title : name,
    description: typeof description === 'string' ? description : undefined,
    kind,
    isRequired,
    choices,
    initial: standard === undefined ? '' : isPlain ? String(standard) : JSON.stringify(standard),
  };
}

function kindOf({ type }: Schema, choices: readonly string[]): InputField['kind'] {
  if (choices.length > 0) return 'choice';
  if (type === 'string') return 'text';
  if (type === 'number' || type === 'integer' || type === 'boolean') return type;
  return 'json';
}

/** The input that a filled form means. What is left empty is left out: the schema says whether it may. */
export function inputFromFields(
  fields: readonly InputField[],
  values: Readonly<Record<string, string>>,
): { input: Record<string, unknown>; problem?: string } {
  const input: Record<string, unknown> = {};
  for (const { name, title, kind, isRequired } of fields) {
    const text = values[name] ?? '';
    if (text === '' && !(kind === 'text' && isRequired)) continue;
    if (kind === 'text' || kind === 'choice') {
      input[name] = text;
      continue;
    }
    try {
      input[name] = JSON.parse(text);
    } catch {
      return { input, problem: `${title} is not ${kind === 'json' ? 'JSON' : `a ${kind}`}` };
    }
  }
  return { input };
}
