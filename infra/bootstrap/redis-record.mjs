import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processIdentity } from './process-identity.mjs';

/**
 * Who keeps a data folder and where its Redis listens.
 * @typedef {object} RedisRecord
 * @property {number} ownerPid the flotilla command
 * @property {string} [ownerIdentity]
 * @property {number} [serverPid] absent until the server was started
 * @property {string} [serverIdentity]
 * @property {number} [port]
 */

const recordFile = (data) => join(data, 'owner.json');

/**
 * Notes this process down as owner. False when the folder has one.
 * @param {string} data
 */
export function claimRecord(data) {
  const record = { ownerPid: process.pid, ownerIdentity: processIdentity(process.pid) };
  try {
    writeFileSync(recordFile(data), JSON.stringify(record), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * @param {string} data
 * @param {Partial<RedisRecord>} change
 */
export function updateRecord(data, change) {
  const file = recordFile(data);
  const partial = `${file}.part`;
  writeFileSync(partial, JSON.stringify({ ...readRecord(data), ...change }));
  renameSync(partial, file);
}

/**
 * @param {string} data
 * @returns {RedisRecord | undefined} undefined when there is none
 */
export function readRecord(data) {
  try {
    return JSON.parse(readFileSync(recordFile(data), 'utf8'));
  } catch {
    return undefined; // none, or one that is being written
  }
}

/**
 * Removes the record if it is that owner's.
 * @param {string} data
 * @param {number} [ownerPid] default: this process
 */
export function releaseRecord(data, ownerPid = process.pid) {
  if (readRecord(data)?.ownerPid === ownerPid) rmSync(recordFile(data), { force: true });
}
