/** Objects that exist only in this gateway, below `/.coda/`: their paths are their Fids. Pure. */
import type { Fid, ObjectStatus } from '../../venus/interface.js';
import { codaName } from './coda-path.js';

export function isVirtual(fid: Fid): boolean {
  return fid.startsWith(codaName);
}

export function virtualFid(path: readonly string[]): Fid {
  return path.join('/') as Fid;
}

export function pathOf(fid: Fid): readonly string[] {
  return fid.split('/');
}

/** The directories above `path`, from `root` down. */
export function ancestorsOf(path: readonly string[], root: Fid): readonly Fid[] {
  return [root, ...path.slice(0, -1).map((_, index) => virtualFid(path.slice(0, index + 1)))];
}

export function virtualStatus(path: readonly string[], modified: number): ObjectStatus {
  return {
    fid: virtualFid(path),
    kind: 'file',
    length: 0,
    version: null,
    digest: null,
    created: modified,
    modified,
    mode: 0o555,
    owner: '',
    author: '',
    properties: {},
    target: null,
    conflict: null,
  };
}

export function directoryStatus(path: readonly string[], modified: number): ObjectStatus {
  return { ...virtualStatus(path, modified), kind: 'directory' };
}
