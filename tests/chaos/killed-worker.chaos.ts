import { testPromise } from './promise.ts';

testPromise('F1 the steps of a worker that is killed start elsewhere within 12 s', { fault: 'F1', times: 3 });
