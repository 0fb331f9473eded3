import { describe, expect, test } from '@jest/globals';
import { classifyRulesOf } from './classify-rules-of.ts';
import { defineStep } from './define-step.ts';
import { handlersOf } from './handlers-of.ts';

const rule = () => 'rate_limited' as const;

describe('the rules of a module', () => {
  test('are its export classifyRules, beside handlers or alone', () => {
    const work = defineStep({ name: 'work', run: () => 1 });
    expect(classifyRulesOf({ work, classifyRules: [rule] })).toEqual([rule]);
    expect(handlersOf({ work, classifyRules: [rule] })).toEqual([work]);
    expect(handlersOf({ default: [work], classifyRules: [rule] })).toEqual([work]);
    expect(handlersOf({ classifyRules: [rule] })).toEqual([]);
    expect(classifyRulesOf({ default: { work, classifyRules: [rule] } })).toEqual([rule]);
    expect(handlersOf({ default: { work, classifyRules: [rule] } })).toEqual([work]);
    expect(classifyRulesOf({ work })).toEqual([]);
    expect(classifyRulesOf(undefined)).toEqual([]);
  });

  test.each([[rule], ['rate_limited'], [{ rule }], [[rule, 1]], [undefined]])(
    'that are %p are refused',
    (classifyRules) => {
      expect(() => classifyRulesOf({ classifyRules })).toThrow(
        expect.objectContaining({
          code: 'CONFIG_INVALID',
          problems: [expect.objectContaining({ code: 'NOT_A_RULE' })],
        }),
      );
      expect(() => handlersOf({ classifyRules })).not.toThrow();
    },
  );
});
