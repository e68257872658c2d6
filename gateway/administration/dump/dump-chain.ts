/**
 * A full dump and the incremental ones behind it, as the state that they come to: all are in the order of Fids, so what
 * the last of them says of an object holds, and no list of objects is needed.
 */
import { Failure, type Fid, type VnodeStatus } from '../../../vice/interface/index.js';
import type { CheckedDump } from './checked-dump.js';
import { isSameState } from './format.js';
import { SoundTree } from './sound-tree.js';
import { storedVersions, type VolumeState } from './volume-state.js';

/** @throws Failure refused: they do not fit together; damaged: what they come to is no tree (TR-1) */
export async function stateOf(
  full: CheckedDump,
  ...incremental: readonly CheckedDump[]
): Promise<VolumeState> {
  const chain = [full, ...incremental];
  mustFit(chain);
  const { base: _base, ...header } = (chain.at(-1) ?? full).header;
  const state: VolumeState = {
    header,
    objects: () => merged(chain),
    contents: (fid, version) => {
      for (const dump of chain) {
        const contents = dump.contents(version);
        if (contents !== undefined) return contents;
      }
      throw new Failure('not-found', 'dump.read', `none of the dumps has the contents ${version.digest}`, {
        fid,
      });
    },
  };
  await mustBeWhole(state, chain);
  return state;
}

function mustFit(chain: readonly CheckedDump[]): void {
  let before: CheckedDump | undefined;
  for (const dump of chain) {
    const { volume, realm, base } = dump.header;
    if (before === undefined) {
      if (base !== null) {
        const wanted = 'begin with the full dump that it builds on, and name this one after --then';
        throw refused(`${dump.name} is incremental: ${wanted}`);
      }
    } else {
      const { header } = before;
      if (volume.id !== header.volume.id || realm.id !== header.realm.id) {
        throw refused(`${dump.name} is of another volume than ${before.name}`);
      }
      if (base === null) throw refused(`${dump.name} is a full dump: restore it alone`);
      if (!isSameState(base, header.state)) {
        const [wanted, found] = [base, header.state].map(
          ({ snapshot, time }) => `"${snapshot}" of ${textOf(time)}`,
        );
        throw refused(
          `${dump.name} builds on ${wanted}, but ${before.name} holds ${found}: give the one in between`,
        );
      }
    }
    before = dump;
  }
}

async function mustBeWhole(state: VolumeState, chain: readonly CheckedDump[]): Promise<void> {
  const tree = new SoundTree(state.header.volume.id);
  for await (const status of state.objects()) {
    tree.add(status);
    for (const { digest, length } of storedVersions(status)) {
      const there = chain.map((dump) => dump.lengthOf(digest)).find((each) => each !== undefined);
      if (there === length) continue;
      throw refused(
        there === undefined
          ? `none of the dumps has the contents ${digest} of ${status.fid}: one in between is missing`
          : `${status.fid} has ${length} bytes, and its contents ${there}`,
      );
    }
  }
  const fault = tree.fault();
  if (fault === undefined) return;
  const names = chain.map(({ name }) => name).join(' and ');
  throw new Failure('damaged', 'dump.read', `${names} cannot be a volume: ${fault}. Use another copy of it`);
}

type Entry = VnodeStatus | { readonly removed: Fid };

async function* merged(chain: readonly CheckedDump[]): AsyncGenerator<VnodeStatus> {
  const streams = chain.map((dump) => dump.entries());
  try {
    const heads = await Promise.all(streams.map((stream) => stream.next()));
    for (;;) {
      const fids = heads.flatMap((head) => (head.done === true ? [] : [fidOf(head.value)]));
      const least = fids.sort()[0];
      if (least === undefined) return;
      let said: Entry | undefined;
      for (const [index, head] of heads.entries()) {
        if (head.done === true || fidOf(head.value) !== least) continue;
        if ('removed' in head.value && (said === undefined || 'removed' in said)) {
          const { name } = chain[index] as CheckedDump;
          throw refused(`${name} removes ${least}, which is not there before it`);
        }
        said = head.value;
        heads[index] = await (streams[index] as AsyncGenerator<Entry>).next();
      }
      if (said !== undefined && !('removed' in said)) yield said;
    }
  } finally {
    for (const stream of streams) await stream.return(undefined);
  }
}

function fidOf(entry: Entry): Fid {
  return 'removed' in entry ? entry.removed : entry.fid;
}

function textOf(time: number): string {
  return new Date(time).toISOString();
}

function refused(message: string): Failure {
  return new Failure('refused', 'dump.read', message);
}
