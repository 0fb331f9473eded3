import { testPromise } from './driver/promise.ts';

testPromise(
  'F20 a step that ends its worker, never ends or throws what is no error holds nobody else up for more than 15 s',
  { fault: 'F20' },
);
