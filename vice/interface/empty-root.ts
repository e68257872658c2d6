import type { Fid } from './fid.js';
import { noNames } from './names-digest.js';
import type { VnodeStatus } from './vnode.js';

/** A volume's root directory at first. A runt: it knows nothing, so whatever a peer has of it comes in its place. */
export function emptyRoot(fid: Fid, made = 0): VnodeStatus {
  return {
    fid,
    kind: 'directory',
    parent: null,
    vv: {},
    storeId: null,
    known: {},
    data: null,
    siblings: [],
    places: [],
    gone: {},
    revived: {},
    names: noNames,
    target: null,
    created: made,
    modified: made,
    mode: 0o755,
    owner: 'System:Administrators',
    author: 'System:Administrators',
    properties: {},
    setters: {},
  };
}
