export * from './channels.ts';
export * from './stored-name.ts';
