import { expect, test } from '@jest/globals';
import { approvalDigest, guardByApproval } from './approval-guard.ts';
import type { Scope } from './plan.ts';
import { compileTemplate } from './template.ts';

test('an approval is of the reference to a secret, and the attempt is given its value', () => {
  const compiled = compileTemplate({ key: '${{ secrets.KEY }}' }, { stepIndex: new Map(), secrets: true });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  const guarded = guardByApproval(compiled.template, 0, 'ask');
  const scopeOf = (approved: string): Scope => ({
    run: { id: 'r', input: null },
    step: () => ({ status: 'succeeded', output: { decision: 'approve', digest: approvalDigest({ key: approved }) } }),
    secret: () => 'the value',
  });
  expect(guarded.resolve(scopeOf('${{ secrets.KEY }}'))).toEqual({ key: 'the value' });
  expect(() => guarded.resolve(scopeOf('${{ secrets.OTHER }}'))).toThrow('approved something else');
});
