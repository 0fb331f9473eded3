import type { z } from 'zod';
import { definitionZ } from './definition.ts';
import type { Json } from './json.ts';

/** What we need of a schema of zod 4. */
interface Definition {
  type: string;
  shape?: Record<string, z.ZodType>;
  innerType?: z.ZodType;
  in?: z.ZodType;
  element?: z.ZodType;
  valueType?: z.ZodType;
  options?: readonly z.ZodType[];
  discriminator?: string;
  getter?: () => z.ZodType;
  left?: z.ZodType;
  values?: readonly unknown[];
}

/** The names of the fields that an object at this place of a definition may have; none where any may be. */
export function definitionFieldsAt(document: Json, tokens: readonly string[]): string[] {
  let schemas: z.ZodType[] = [definitionZ];
  let value: Json | undefined = document;
  for (const token of tokens) {
    schemas = schemas.flatMap((schema) => objectsOf(schema, value)).flatMap((schema) => memberOf(schema, token));
    value = memberValue(value, token);
  }
  const fields = schemas
    .flatMap((schema) => objectsOf(schema, value))
    .flatMap((schema) => Object.keys(definitionOf(schema).shape ?? {}));
  return [...new Set(fields)];
}

/** The objects, lists and records that a schema stands for; of a union that goes by a field, only the one of its value. */
function objectsOf(schema: z.ZodType, value: Json | undefined): z.ZodType[] {
  const { type, innerType, in: input, getter, options, discriminator, left } = definitionOf(schema);
  if (type === 'lazy' && getter !== undefined) return objectsOf(getter(), value);
  const inner = innerType ?? input ?? left;
  if (inner !== undefined) return objectsOf(inner, value);
  if (options === undefined) return [schema];
  const all = options.flatMap((option) => objectsOf(option, value));
  const chosen = discriminator === undefined ? undefined : memberValue(value, discriminator);
  const fitting = all.filter((option) => discriminator !== undefined && hasLiteral(option, discriminator, chosen));
  return fitting.length > 0 ? fitting : all;
}

function hasLiteral(schema: z.ZodType, field: string, value: Json | undefined): boolean {
  const literal = definitionOf(schema).shape?.[field];
  return literal !== undefined && (definitionOf(literal).values ?? []).includes(value);
}

function memberOf(schema: z.ZodType, token: string): z.ZodType[] {
  const { shape, element, valueType } = definitionOf(schema);
  const member =
    (shape !== undefined && Object.hasOwn(shape, token) ? shape[token] : undefined) ?? element ?? valueType;
  return member === undefined ? [] : [member];
}

function memberValue(value: Json | undefined, token: string): Json | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) return undefined;
  return (value as { [key: string]: Json })[token];
}

function definitionOf(schema: z.ZodType): Definition {
  return schema._zod.def as unknown as Definition;
}
