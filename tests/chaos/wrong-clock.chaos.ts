import { findFaketime } from '@flotilla/chaos';
import { testPromise } from './promise.ts';

testPromise('F19 the clock of a worker decides nothing: it may jump by a day, and back', {
  fault: 'F19',
  impossible: findFaketime() === undefined ? 'libfaketime is not installed' : undefined,
  costsNoAttempt: true,
  mayHitNothing: true,
});
