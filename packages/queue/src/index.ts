export * from './queue-names.ts';
export * from './task.ts';
export * from './task-consumer.ts';
export * from './task-queue-views.ts';
export * from './task-queues.ts';
