export * from './markdown-table.ts';
export * from './statistics.ts';
export * from './svg.ts';
