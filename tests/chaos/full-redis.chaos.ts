import { findLogFloods, findUnrefusedSubmissions, testPromise } from './promise.ts';

testPromise(
  'F15 a Redis that is full refuses new runs, lets the others go on, and all is well 5 s after there is room',
  {
    fault: 'F15',
    times: 2,
    costsNoAttempt: true,
    further: {
      'submissions are refused with a time to try again': findUnrefusedSubmissions,
      'no process writes more than ten lines a second': findLogFloods,
    },
  },
);
