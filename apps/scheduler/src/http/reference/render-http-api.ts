/** docs/reference/http-api.md, from the OpenAPI document. */
interface Schema {
  $ref?: string;
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  default?: unknown;
}

interface Operation {
  summary?: string;
  description?: string;
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { description?: string; content?: Record<string, { schema: Schema }> }>;
}

export interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

const INTRODUCTION = `# HTTP API

<!-- Generated from the OpenAPI document: \`pnpm --filter @flotilla/scheduler run reference\`. -->

The same as an OpenAPI 3.1 document: \`GET /openapi.json\`.

- Bodies are JSON (\`application/json\`, UTF-8, not compressed), at most 8 MiB where a definition may be in them and 64 KiB
  elsewhere, nested at most 64 levels. Keys given twice, \`__proto__\`, unknown fields and integers that a double would
  change are refused.
- Errors are problem documents with a stable \`code\`: [errors.md](errors.md).
- Where API keys are set (\`FLOTILLA_API_KEYS\`), send \`Authorization: Bearer <key>\`; \`/healthz\` and \`/readyz\` need none.
  A server on a loopback address answers only to the hosts \`localhost\`, \`127.0.0.1\` and \`[::1]\`.
- Lists come in pages: pass the \`cursor\` of an answer to get the next page; the last one has none.
- Times are milliseconds since 1970 on Redis' clock.
- A server with too much to do answers 503 \`OVERLOADED\` at once and says when to come back.
`;

export function renderHttpApi(document: OpenApi): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => renderOperation(method, path, operation)),
  );
  const schemas = Object.entries(document.components.schemas)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, schema]) => `### ${name}\n\n${renderFields(schema)}\n`);
  return `${INTRODUCTION}\n## Resources\n\n${operations.join('\n')}\n## Objects\n\n${schemas.join('\n')}`;
}

function renderOperation(method: string, path: string, operation: Operation): string {
  const parts = [`### ${method.toUpperCase()} ${path}`, `${operation.summary}. ${operation.description ?? ''}`.trim()];
  const query = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query');
  if (query.length > 0) {
    parts.push(`Query:\n\n${query.map(({ name, schema }) => `- \`${name}\`: ${renderType(schema)}`).join('\n')}`);
  }
  const body = operation.requestBody?.content['application/json']?.schema;
  if (body !== undefined) parts.push(`Body:\n\n${renderFields(body)}`);
  const answers = Object.entries(operation.responses).filter(([status]) => status !== 'default');
  for (const [status, { content = {} }] of answers) {
    for (const [type, { schema }] of Object.entries(content)) parts.push(renderAnswer(status, type, schema));
  }
  return `${parts.join('\n\n')}\n`;
}

function renderAnswer(status: string, type: string, schema: Schema): string {
  if (type !== 'application/json') return `Answer ${status}: \`${type}\``;
  if (schema.$ref !== undefined) return `Answer ${status}: ${renderType(schema)}`;
  return `Answer ${status}:\n\n${renderFields(schema)}`;
}

/** The fields of an object as a list; other types as themselves. */
function renderFields(schema: Schema, indent = ''): string {
  if (schema.properties === undefined) return `${indent}- ${renderType(schema)}`;
  const required = new Set(schema.required ?? []);
  const lines = Object.entries(schema.properties).map(([name, field]) => {
    const optional = required.has(name) ? '' : ' (optional)';
    const inner = objectOf(field);
    const below = inner === undefined ? '' : `\n${renderFields(inner, `${indent}  `)}`;
    return `${indent}- \`${name}\`${optional}: ${renderType(field)}${below}`;
  });
  return lines.join('\n');
}

/** The object whose fields are worth listing under a field: itself, or the items of its list. */
function objectOf(schema: Schema): Schema | undefined {
  if (schema.properties !== undefined) return schema;
  return schema.items?.properties === undefined ? undefined : schema.items;
}

function renderType(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/')[3] ?? 'JSON';
    return name.startsWith('__') ? 'any JSON' : `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) return alternatives.map(renderAlternative).join(' or ');
  if (schema.type === 'array')
    return `list${bounds(schema.minItems, schema.maxItems)} of ${renderType(schema.items ?? {})}`;
  if (schema.type === undefined) return 'any JSON';
  const range =
    schema.type === 'string' ? bounds(schema.minLength, schema.maxLength) : bounds(schema.minimum, schema.maximum);
  const standard = schema.default === undefined ? '' : `, default ${JSON.stringify(schema.default)}`;
  return `${String(schema.type)}${range}${standard}`;
}

/** An object among alternatives has no place of its own for its fields. */
function renderAlternative(schema: Schema): string {
  if (schema.properties === undefined) return renderType(schema);
  const fields = Object.entries(schema.properties).map(([name, field]) => `${name}: ${renderType(field)}`);
  return `{ ${fields.join(', ')} }`;
}

function bounds(minimum: number | undefined, maximum: number | undefined): string {
  const highest = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  const lowest = minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum;
  if (lowest === undefined && highest === undefined) return '';
  if (highest === undefined) return ` (${lowest} or more)`;
  return ` (${lowest ?? 'up'} to ${highest})`;
}
