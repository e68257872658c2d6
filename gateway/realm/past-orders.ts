/**
 * What the control door of a gateway answers to `coda volume snapshot restore` with paths: objects of a snapshot, by
 * their names from the root of the share. Read in somebody's name, as far as the access lists of that time let him.
 */
import { z } from 'zod';
import { isFailure, type Caller, type Venus } from '../../venus/interface.js';
import { ByteAnswer } from './control-stream.js';
import { answered, plain } from './tree-object.js';

const orderSchema = z.strictObject({
  user: z.string().min(1).max(256),
  snapshot: z.string().max(128),
  path: z.array(z.string().max(1024)).max(256),
});
type Order = z.infer<typeof orderSchema>;
type Read = <T>(schema: z.ZodType<T>) => Promise<T>;

export const pastOrders: Readonly<Record<string, (venus: Venus, read: Read) => Promise<unknown>>> = {
  '/past/find': async (venus, read) => {
    const order = await read(orderSchema);
    return answered(() => find(venus, order));
  },
  '/past/list': async (venus, read) => new ByteAnswer(listed(venus, await read(orderSchema))),
  '/past/read': async (venus, read) => new ByteAnswer(contents(venus, await read(orderSchema))),
};

/** Null: there is no such snapshot, or nothing was there. */
async function find(venus: Venus, order: Order): Promise<object> {
  const taken = (await venus.snapshots.list()).find(({ name }) => name === order.snapshot);
  if (taken === undefined) return { object: null, time: 0 };
  const object = await venus.snapshots.status(callerOf(order), order.snapshot, order.path);
  return { object: object && plain(object), time: taken.time };
}

/** One line of JSON for each entry; a failure is the last one. */
async function* listed(venus: Venus, order: Order): AsyncGenerator<Uint8Array> {
  try {
    for (const { name, status } of await venus.snapshots.entries(
      callerOf(order),
      order.snapshot,
      order.path,
    )) {
      yield Buffer.from(`${JSON.stringify({ name, object: plain(status) })}\n`);
    }
  } catch (error) {
    if (!isFailure(error)) throw error;
    yield Buffer.from(`${JSON.stringify({ failure: { kind: error.kind, message: error.message } })}\n`);
  }
}

async function* contents(venus: Venus, order: Order): AsyncGenerator<Uint8Array> {
  const opened = await venus.snapshots.open(callerOf(order), order.snapshot, order.path);
  try {
    yield* opened.read();
  } finally {
    await opened.close();
  }
}

function callerOf({ user }: Order): Caller {
  return { user };
}
