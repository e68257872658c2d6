/**
 * What the control door of a gateway answers to `coda import` and `coda export`: objects by Fid, one order for each.
 * Each order says in whose name it is given; rights are checked as for anybody.
 *
 * TO-1  What Venus refuses is an answer, `{"failure": ...}`: an error means that the order was wrong or that the
 *       gateway does not answer. Only `/tree/read`, whose answer is contents, fails as a whole.
 * TO-2  Properties come from people's files: they are read as XML before they are kept, since PROPFIND sends them as
 *       they are kept.
 */
import { z } from 'zod';
import type { Clock } from '../../vice/seam/clock.js';
import { isFailure, type Caller, type Fid, type ObjectStatus, type Venus } from '../../venus/interface.js';
import { OperatorError } from '../config/operator-error.js';
import { codaName } from '../webdav/coda-path.js';
import { checkedProperties } from '../webdav/property-fragment.js';
import { mustBeUnlocked } from './tree-lock.js';
import { ByteAnswer } from './control-stream.js';
import { answered, fid, plain, time, type PendingState } from './tree-object.js';

const user = z.string().min(1).max(256);
const name = z.string().max(1024);
const properties = z.record(z.string().max(8192), z.string());
const findSchema = z.strictObject({ user, path: z.array(name).max(256), make: z.boolean() });
const objectOrder = z.strictObject({ user, fid });
const readSchema = z.strictObject({ user, fid, version: z.string() });
const folderSchema = z.strictObject({ user, parent: fid, name });
const linkSchema = z.strictObject({ user, parent: fid, name, target: z.string().max(8192) });
const attributesSchema = z.strictObject({
  user,
  fid,
  modified: time.optional(),
  properties: properties.optional(),
});
const lockSchema = z.strictObject({ user, path: z.array(name).max(256), fid });
const pendingSchema = z.strictObject({ volumes: z.array(z.string()).max(10_000) });
type Read = <T>(schema: z.ZodType<T>) => Promise<T>;

export const treeOrders: Readonly<
  Record<string, (venus: Venus, read: Read, clock: Clock) => Promise<unknown>>
> = {
  '/tree/find': async (venus, read) => {
    const order = await read(findSchema);
    return answered(() => find(venus, { user: order.user }, order.path, order.make));
  },
  '/tree/unlocked': async (venus, read, clock) => {
    const order = await read(lockSchema);
    return answered(async () => {
      await mustBeUnlocked(venus, { user: order.user }, order, clock);
      return { unlocked: true };
    });
  },
  '/tree/list': async (venus, read) => {
    const order = await read(objectOrder);
    return new ByteAnswer(listed(venus, { user: order.user }, order.fid));
  },
  '/tree/status': async (venus, read) => {
    const order = await read(objectOrder);
    return answered(async () => ({ object: plain(await venus.status({ user: order.user }, order.fid)) }));
  },
  '/tree/read': async (venus, read) => {
    const order = await read(readSchema);
    return new ByteAnswer(contents(venus, { user: order.user }, order.fid, order.version));
  },
  '/tree/folder': async (venus, read) => {
    const order = await read(folderSchema);
    const make = (): Promise<ObjectStatus> =>
      venus.makeDirectory({ user: order.user }, order.parent, order.name);
    return answered(async () => ({ object: plain(await make()) }));
  },
  '/tree/link': async (venus, read) => {
    const { parent, name: link, target, ...order } = await read(linkSchema);
    const make = (): Promise<ObjectStatus> => venus.makeSymlink({ user: order.user }, parent, link, target);
    return answered(async () => ({ object: plain(await make()) }));
  },
  '/tree/attributes': async (venus, read) => {
    const order = await read(attributesSchema);
    return answered(() => setAttributes(venus, order));
  },
  '/tree/pending': async (venus, read): Promise<PendingState> => {
    return pendingOf(venus, (await read(pendingSchema)).volumes);
  },
};

async function find(venus: Venus, caller: Caller, path: readonly string[], make: boolean): Promise<object> {
  if (path[0] === codaName) {
    throw new OperatorError('refused', `/${codaName} is the gateway's own; give another place.`);
  }
  let made = 0;
  // From the top down, so that what is missing can be made.
  for (let depth = make ? 1 : path.length; depth <= path.length; depth += 1) {
    const { parent, name: last, object } = await venus.lookup(caller, path.slice(0, depth));
    if (object !== null) continue;
    if (!make || parent === null) return { object: null, made, isShare: false };
    await venus.makeDirectory(caller, parent, last);
    made += 1;
  }
  const { parent, object } = await venus.lookup(caller, path);
  return { object: object && plain(object), made, isShare: parent === null };
}

async function setAttributes(venus: Venus, order: z.infer<typeof attributesSchema>): Promise<object> {
  const caller = { user: order.user };
  if (order.modified !== undefined) await venus.setModified(caller, order.fid, order.modified);
  if (order.properties !== undefined) {
    const checked = checkedProperties(order.properties);
    await venus.setProperties(caller, order.fid, { set: checked, remove: [] });
  }
  return { object: plain(await venus.status(caller, order.fid)) };
}

/** One line of JSON for each entry; a failure is the last one. */
async function* listed(venus: Venus, caller: Caller, directory: Fid): AsyncGenerator<Uint8Array> {
  try {
    for await (const batch of venus.list(caller, directory)) {
      const lines = batch.map((entry) => JSON.stringify({ name: entry.name, object: plain(entry.status) }));
      if (lines.length > 0) yield Buffer.from(`${lines.join('\n')}\n`);
    }
  } catch (error) {
    if (!isFailure(error)) throw error;
    yield Buffer.from(`${JSON.stringify({ failure: { kind: error.kind, message: error.message } })}\n`);
  }
}

async function* contents(
  venus: Venus,
  caller: Caller,
  file: Fid,
  version: string,
): AsyncGenerator<Uint8Array> {
  const opened = await venus.open(caller, file);
  try {
    if (opened.status.version !== version) throw new OperatorError('refused', 'It was changed meanwhile.');
    yield* opened.read();
  } finally {
    await opened.close();
  }
}

function pendingOf(venus: Venus, volumes: readonly string[]): PendingState {
  const states = venus.state().volumes.filter(({ id }) => volumes.includes(id));
  const sum = (of: (state: (typeof states)[number]) => number): number =>
    states.reduce((total, state) => total + of(state), 0);
  return {
    changes: sum(({ pendingRecords }) => pendingRecords),
    bytes: sum(({ pendingBytes }) => pendingBytes),
    kept: sum(({ keptRecords }) => keptRecords),
    isReached: states.every(({ state }) => state !== 'emulating'),
    awaitedLogins: [...new Set(states.flatMap(({ awaitedLogins }) => awaitedLogins))],
    lastError: states.find(({ lastError }) => lastError !== null)?.lastError ?? null,
  };
}
