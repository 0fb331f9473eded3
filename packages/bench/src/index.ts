export { BENCH_TARGETS, BENCH_WORKLOADS, type BenchOptions, type BenchRequest } from './options.ts';
export { benchProgram } from './program-file.ts';
