import { findOthersWaiting, testPromise } from './promise.ts';

testPromise(
  'F20 a step that ends its worker, never ends or throws what is no error holds nobody else up for more than 12 s',
  { fault: 'F20', further: { 'no other step waits more than 12 s': findOthersWaiting } },
);
