import { expect, test } from '@jest/globals';
import { fieldsOf, inputFromFields } from './input-fields.ts';

const SCHEMA = {
  type: 'object',
  required: ['customer'],
  properties: {
    amount: { type: 'number', default: 5 },
    country: { enum: ['DE', 'FR'] },
    customer: { type: 'string', title: 'Customer' },
    express: { type: 'boolean' },
    lines: { type: 'array' },
  },
};

test('an object schema makes a field of each property, those first that are asked for', () => {
  const fields = fieldsOf(SCHEMA)!;
  expect(fields.map(({ name, kind }) => [name, kind])).toEqual([
    ['customer', 'text'],
    ['amount', 'number'],
    ['country', 'choice'],
    ['express', 'boolean'],
    ['lines', 'json'],
  ]);
  expect(fields[0]).toMatchObject({ title: 'Customer', isRequired: true });
  expect(fields[1]!.initial).toBe('5');
});

test.each([undefined, {}, { type: 'string' }, { type: 'object' }, { type: 'object', properties: {} }])(
  'of %j no form can be made',
  (schema) => expect(fieldsOf(schema)).toBeUndefined(),
);

test('what is filled in becomes the input, and what is empty is left out', () => {
  const fields = fieldsOf(SCHEMA)!;
  const values = { customer: 'Ada', amount: '12.5', express: 'true', lines: '[1]', country: '' };
  expect(inputFromFields(fields, values)).toEqual({
    input: { customer: 'Ada', amount: 12.5, express: true, lines: [1] },
  });
});

test('what is no JSON is a problem with the name of its field', () => {
  expect(inputFromFields(fieldsOf(SCHEMA)!, { lines: '[1' }).problem).toMatch(/lines is not JSON/);
});
