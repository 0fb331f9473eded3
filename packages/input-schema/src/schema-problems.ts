import { didYouMean, type Json, type Problem, pointerToken } from '@flotilla/contracts';
import type { ErrorObject } from 'ajv';

export function schemaProblem(path: string, message: string): Problem {
  return { code: 'INPUT_SCHEMA_INVALID', path: `/input${path}`, message };
}

/** Where a value is not one of those allowed, that is what to say: what else it could have been follows from it. */
export function tellingErrors(errors: readonly ErrorObject[]): ErrorObject[] {
  const named = new Set(
    errors.filter((error) => allowedValues(error) !== undefined).map(({ instancePath }) => instancePath),
  );
  return errors.filter((error) => allowedValues(error) !== undefined || !named.has(error.instancePath));
}

export function inSchema(error: ErrorObject, schema: Json): Problem {
  const value = error.instancePath.split('/').slice(1).reduce<unknown>(memberOf, schema);
  const allowed = allowedValues(error)?.map(String);
  if (allowed === undefined)
    return schemaProblem(error.instancePath.slice(0, 1024), error.message ?? 'not a JSON Schema');
  const written = String(value).slice(0, 100);
  const message = `${written} is not one of ${allowed.join(', ')}${didYouMean(written, allowed)}`;
  return schemaProblem(error.instancePath.slice(0, 1024), message);
}

function memberOf(holder: unknown, token: string): unknown {
  return (holder as Record<string, unknown> | undefined)?.[token.replaceAll('~1', '/').replaceAll('~0', '~')];
}

function allowedValues({ params }: ErrorObject): readonly unknown[] | undefined {
  const { allowedValues: values } = params as { allowedValues?: unknown };
  return Array.isArray(values) ? values : undefined;
}

export function toProblem(error: ErrorObject): Problem {
  const { missingProperty, additionalProperty, unevaluatedProperty } = error.params as Record<string, unknown>;
  const property = missingProperty ?? additionalProperty ?? unevaluatedProperty;
  const token = typeof property === 'string' ? `/${pointerToken(property.slice(0, 256))}` : '';
  const path = `/input${error.instancePath.slice(0, 1024)}${token}`;
  const allowed = allowedValues(error)?.map((value) => JSON.stringify(value));
  const message = allowed === undefined ? (error.message ?? error.keyword) : `must be one of ${allowed.join(', ')}`;
  return { code: 'INPUT_INVALID', path, message: message.slice(0, 300) };
}
