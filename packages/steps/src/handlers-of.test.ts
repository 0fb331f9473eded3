import { FlotillaError } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { defineAgent, defineStep } from './define-step.ts';
import { handlersOf } from './handlers-of.ts';

const charge = defineStep({ name: 'payments.charge', run: () => null });
const refund = defineStep({ name: 'payments.refund', run: () => null });
const pricing = defineAgent({ capability: 'pricing', run: () => null });

function problemsOf(module: unknown): string[] {
  try {
    handlersOf(module);
  } catch (error) {
    expect(error).toBeInstanceOf(FlotillaError);
    expect((error as FlotillaError).code).toBe('CONFIG_INVALID');
    return (error as FlotillaError).problems.map(({ code, path }) => `${code} ${path}`);
  }
  return [];
}

describe('handlersOf', () => {
  test('takes a default export that is a handler, an array or an object of them', () => {
    expect(handlersOf({ default: charge })).toEqual([charge]);
    expect(handlersOf({ default: [charge, pricing] })).toEqual([charge, pricing]);
    expect(handlersOf({ default: { charge, refund } })).toEqual([charge, refund]);
  });

  test('takes named exports when there is no default, and leaves constants and schemas alone', () => {
    const module = { charge, pricing, LIMIT: 10, orderZ: z.object({}), names: ['a'] };
    expect(handlersOf(module)).toEqual([charge, pricing]);
  });

  test('takes a handler once when it is exported twice', () => {
    expect(handlersOf({ default: [charge, charge] })).toEqual([charge]);
  });

  test('a step and an agent of one name are two handlers', () => {
    const step = defineStep({ name: 'pricing', run: () => null });
    expect(handlersOf({ default: [step, pricing] })).toHaveLength(2);
  });

  test('tells all problems at once, each with its place', () => {
    const module = {
      default: [
        charge,
        defineStep({ name: 'payments.charge', run: () => 1 }),
        defineStep({ name: 'a:b', run: () => 1 }),
        defineStep({ name: '__proto__', run: () => 1 }),
        defineStep({ name: 7 as never, run: () => 1 }),
        defineAgent({ capability: '../x', name: 'fine', run: () => 1 }),
        defineStep({ name: 'flotilla.mine', run: () => 1 }),
        () => null,
        { name: 'x', run: () => null },
        null,
        'text',
      ],
    };
    expect(problemsOf(module)).toEqual([
      'DUPLICATE_HANDLER /default/1',
      'ILLEGAL_NAME /default/2',
      'ILLEGAL_NAME /default/3',
      'ILLEGAL_NAME /default/4',
      'ILLEGAL_NAME /default/5',
      'RESERVED_NAME /default/6',
      'NOT_A_HANDLER /default/7',
      'NOT_A_HANDLER /default/8',
      'NOT_A_HANDLER /default/9',
      'NOT_A_HANDLER /default/10',
    ]);
  });

  test('says what an agent lacks', () => {
    const agent = defineAgent({ name: 'pricing', run: () => 1 } as never);
    expect(() => handlersOf({ agent })).toThrow('/agent: the agent has no capability');
  });

  test('leaves functions and classes beside handlers alone, whether they are named or entries of the default export', () => {
    class Basket {}
    const helpers = { total: () => 0, Basket, LIMIT: 3, client: new Basket() };
    expect(handlersOf({ charge, ...helpers })).toEqual([charge]);
    expect(handlersOf({ default: { charge, ...helpers } })).toEqual([charge]);
    expect(handlersOf({ default: Basket, charge })).toEqual([charge]);
    expect(handlersOf({ default: { timeoutMs: 3 }, charge })).toEqual([charge]);
  });

  test('takes what a CommonJS module exports, with a constant, with rules, and compiled from a default export', () => {
    const exported = { charge, LIMIT: 1, classifyRules: [() => undefined] };
    expect(handlersOf({ default: exported, 'module.exports': exported })).toEqual([charge]);
    expect(handlersOf({ default: exported, charge, LIMIT: 1, 'module.exports': exported })).toEqual([charge]);
    const compiled = { __esModule: true, default: [charge, pricing] };
    expect(handlersOf({ default: compiled, 'module.exports': compiled, __esModule: true })).toEqual([charge, pricing]);
    const named = { __esModule: true, charge, helper: () => null };
    expect(handlersOf({ default: named, 'module.exports': named })).toEqual([charge]);
  });

  test('refuses an object that was meant as a handler, because its step would wait for ever', () => {
    expect(problemsOf({ charge, refund: { name: 'refund', run: () => null } })).toEqual(['NOT_A_HANDLER /refund']);
    expect(problemsOf({ default: { charge, refund: { name: 'refund', run: () => null } } })).toEqual([
      'NOT_A_HANDLER /default/refund',
    ]);
  });

  test.each([[{}], [{ default: [] }], [{ default: {} }], [{ LIMIT: 1, help: () => 1 }], [undefined], [null]])(
    'refuses %j: no handlers',
    (module) => {
      expect(problemsOf(module)).toEqual(['NO_HANDLERS ']);
    },
  );

  test('refuses a default export that is not made of handlers', () => {
    expect(problemsOf({ default: () => null })).toEqual(['NOT_A_HANDLER /default']);
    expect(problemsOf({ default: 'x' })).toEqual(['NOT_A_HANDLER /default']);
  });
});
