export { plainName, readImportFile } from './import/read-import-file.ts';
export { importWfformat, type WfformatImport, type WfformatOptions } from './import/wfformat.ts';
