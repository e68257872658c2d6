/** The contract that both sides speak: everything in this folder, and nothing of anybody else's. */
export * from './codec.js';
export * from './conflict.js';
export * from './credential.js';
export * from './failure.js';
export * from './fid.js';
export * from './merge.js';
export * from './mutation.js';
export * from './names-digest.js';
export * from './realm.js';
export * from './rpc.js';
export * from './semantics.js';
export * from './store-id.js';
export * from './version-vector.js';
export * from './versions.js';
export * from './vnode.js';
