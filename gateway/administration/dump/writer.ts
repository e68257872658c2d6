/** Writes a dump: a stream of frames, no file and no list of objects in memory. */
import { createHash } from 'node:crypto';
import { Failure, type Fid, type FileData, type VnodeStatus } from '../../../vice/interface/index.js';
import { ContentsDigest } from './contents-digest.js';
import { DigestIndex } from './digest-index.js';
import { frame, jsonFrame, magic, payloadMost, type DumpTrailer, type FrameKind } from './format.js';
import { begun, readAhead } from './read-ahead.js';
import { storedVersions, type VolumeState } from './volume-state.js';

/** Files whose contents are asked for while others are on their way: a server is not asked for one after the other. */
const stepsAhead = 16;
/** Of contents that wait in memory for their turn. */
const smallBytes = 128 * 1024;

export interface DumpProgress {
  objects: number;
  /** Of contents. */
  bytes: number;
}

/**
 * The bytes of a dump of `state`: all of it, or what is different in it from `base`. `progress` is kept up to date.
 * @throws Failure damaged: a server sends other contents than it says; what the states throw
 */
export async function* dumped(
  state: VolumeState,
  base: VolumeState | undefined,
  progress: DumpProgress,
): AsyncGenerator<Uint8Array, DumpTrailer> {
  const sha256 = createHash('sha256');
  const counted = (bytes: Uint8Array): Uint8Array => {
    sha256.update(bytes);
    return bytes;
  };
  const counts = { objects: 0, removed: 0, contents: 0, bytes: 0 };
  yield counted(magic);
  yield counted(jsonFrame('H', { ...state.header, base: base?.header.state ?? null }));
  const written = await contentsOf(base);
  for await (const step of readAhead(withContents(state, changesSince(state, base), written), stepsAhead)) {
    if ('removed' in step) {
      counts.removed += 1;
      yield counted(jsonFrame('R', { fid: step.removed }));
      continue;
    }
    progress.objects += 1;
    if (step.isSame) continue;
    for (const { version, chunks } of step.contents) {
      counts.contents += 1;
      counts.bytes += version.length;
      for await (const bytes of contentsFrames(step.status.fid, version, chunks, progress))
        yield counted(bytes);
    }
    counts.objects += 1;
    yield counted(jsonFrame('O', portable(step.status)));
  }
  const trailer = { ...counts, sha256: sha256.digest('hex') };
  yield jsonFrame('T', trailer);
  return trailer;
}

interface Contents {
  readonly version: FileData;
  readonly chunks: AsyncIterable<Uint8Array>;
}

type Wanted =
  | { readonly removed: Fid }
  | (Extract<Step, { status: unknown }> & { readonly contents: readonly Contents[] });

/** Each step with the contents that the dump does not have yet; small ones are asked for at once. */
async function* withContents(
  state: VolumeState,
  steps: AsyncIterable<Step>,
  written: DigestIndex,
): AsyncGenerator<Wanted> {
  for await (const step of steps) {
    if ('removed' in step || step.isSame) {
      yield 'removed' in step ? step : { ...step, contents: [] };
      continue;
    }
    const { fid } = step.status;
    const missing = storedVersions(step.status).filter(({ digest }) => written.add(digest));
    const contents = missing.map((version, index) => {
      const isSmall = index === 0 && version.length <= smallBytes;
      return {
        version,
        chunks: isSmall ? begun(state.contents(fid, version)) : state.contents(fid, version),
      };
    });
    yield { ...step, contents };
  }
}

/** Counts are of replicas, which another volume does not have. */
function portable(status: VnodeStatus): VnodeStatus {
  return { ...status, vv: {} };
}

/** Of the base: they are not repeated, whichever object has them now. */
async function contentsOf(base: VolumeState | undefined): Promise<DigestIndex> {
  const known = new DigestIndex();
  if (base === undefined) return known;
  for await (const status of base.objects()) {
    for (const { digest } of storedVersions(status)) known.add(digest);
  }
  return known;
}

type Step = { readonly status: VnodeStatus; readonly isSame: boolean } | { readonly removed: Fid };

/** Both states side by side, as both come in the order of Fids. */
async function* changesSince(state: VolumeState, base: VolumeState | undefined): AsyncGenerator<Step> {
  const old = base?.objects()[Symbol.asyncIterator]();
  try {
    let before = await old?.next();
    for await (const status of state.objects()) {
      while (before !== undefined && before.done !== true && before.value.fid < status.fid) {
        yield { removed: before.value.fid };
        before = await old?.next();
      }
      const same = before !== undefined && before.done !== true && before.value.fid === status.fid;
      const isSame = same && isSameObject(before?.value as VnodeStatus, status);
      if (same) before = await old?.next();
      yield { status, isSame };
    }
    while (before !== undefined && before.done !== true) {
      yield { removed: before.value.fid };
      before = await old?.next();
    }
  } finally {
    await old?.return?.();
  }
}

function isSameObject(one: VnodeStatus, other: VnodeStatus): boolean {
  return canonical(portable(one)) === canonical(portable(other));
}

/** Whatever order a replica keeps its fields in. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

async function* contentsFrames(
  fid: Fid,
  { digest, length }: FileData,
  chunks: AsyncIterable<Uint8Array>,
  progress: DumpProgress,
): AsyncGenerator<Uint8Array> {
  yield jsonFrame('C', { digest, length });
  const found = new ContentsDigest();
  for await (const chunk of chunks) {
    found.add(chunk);
    for (let at = 0; at < chunk.length; at += payloadMost.contents) {
      yield frame('B' satisfies FrameKind, chunk.subarray(at, at + payloadMost.contents));
    }
    progress.bytes += chunk.length;
  }
  if (found.length === length && found.end() === digest) return;
  throw new Failure('damaged', 'dump.write', `the contents ${digest} did not come as they are`, { fid });
}
