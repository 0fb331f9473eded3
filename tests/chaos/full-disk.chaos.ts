import { mountSmallDisk } from '@flotilla/chaos';
import { findLogFloods, findUnrefusedSubmissions, testPromise } from './promise.ts';

const disk = await mountSmallDisk(1);
if (!('problem' in disk)) await disk.unmount();

testPromise('F16 a full disk refuses new runs, costs no attempt, and all is well 5 s after there is room', {
  fault: 'F16',
  times: 2,
  impossible: 'problem' in disk ? disk.problem : undefined,
  costsNoAttempt: true,
  further: {
    'submissions are refused with a time to try again': findUnrefusedSubmissions,
    'no process writes more than ten lines a second': findLogFloods,
  },
});
