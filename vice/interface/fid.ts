/**
 * A Fid names one object (file, directory or symbolic link) for ever: volume, vnode, uniquifier.
 *
 * A Venus makes Fids alone, connected or not: the uniquifier is its own random VenusId, the vnode its own
 * counter. So no two Venuses can make the same Fid, none is ever reused, and an object created while
 * disconnected keeps its Fid when it reaches the servers (Coda translates: ViceAllocFids, local Fids).
 *
 * Notation (people, logs, tests, wire): `7f000001.2a.9c3e5d7b01f2a4c6`.
 */

declare const brand: unique symbol;

/** A replicated volume, eight hexadecimal digits. */
export type VolumeId = string & { readonly [brand]: 'VolumeId' };
/** One installation of Venus with its log: 16 random hexadecimal digits, made once with its data folder. */
export type VenusId = string & { readonly [brand]: 'VenusId' };
/** volume.vnode.uniquifier */
export type Fid = string & { readonly [brand]: 'Fid' };

const volumePattern = /^[0-9a-f]{8}$/;
const venusPattern = /^[0-9a-f]{16}$/;
const fidPattern = /^[0-9a-f]{8}\.[0-9a-f]{1,13}\.[0-9a-f]{1,16}$/;

/** The volume id in `text`, or undefined if it is none. */
export function volumeId(text: string): VolumeId | undefined {
  return volumePattern.test(text) ? (text as VolumeId) : undefined;
}

/** The Venus id in `text`, or undefined if it is none. */
export function venusId(text: string): VenusId | undefined {
  return venusPattern.test(text) ? (text as VenusId) : undefined;
}

/** The Fid in `text`, or undefined if it is none. */
export function parseFid(text: string): Fid | undefined {
  return fidPattern.test(text) ? (text as Fid) : undefined;
}

/** A Fid that `venus` makes for the `vnode`th object of its life. */
export function makeFid(volume: VolumeId, vnode: number, venus: VenusId): Fid {
  return `${volume}.${vnode.toString(16)}.${venus}` as Fid;
}

/** The root directory of a volume; it exists from the volume's creation on (Coda: vnode 1, uniquifier 1). */
export function rootFid(volume: VolumeId): Fid {
  return `${volume}.1.1` as Fid;
}

/** The volume that `fid` lives in. */
export function volumeOf(fid: Fid): VolumeId {
  return fid.slice(0, 8) as VolumeId;
}
