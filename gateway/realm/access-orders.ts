/** What the control door of a gateway answers about access lists. Each order says in whose name it is given. */
import { z } from 'zod';
import type { Access, Venus } from '../../venus/interface.js';
import { fidOf } from './conflict-orders.js';

const user = z.string().min(1).max(256);
const path = z.string().max(100_000);
const entries = z.record(z.string().min(1).max(128), z.number().int().min(0).max(127));
export const accessListSchema = z.strictObject({ positive: entries, negative: entries });
const getSchema = z.strictObject({ user, path });
const setSchema = z.strictObject({ user, path, list: accessListSchema.nullable() });

/** As it comes out of the door. */
export const accessSchema = z.object({
  rights: z.string(),
  /** Whether the directory has the (first) list itself. */
  own: z.boolean(),
  lists: z.array(accessListSchema.nullable()),
});
export type AccessOf = z.infer<typeof accessSchema>;

type Read = <T>(schema: z.ZodType<T>) => Promise<T>;

export const accessOrders: Readonly<Record<string, (venus: Venus, read: Read) => Promise<unknown>>> = {
  '/access/get': async (venus, read) => {
    const order = await read(getSchema);
    const caller = { user: order.user };
    const fid = await fidOf(venus, caller, order.path);
    return plain(await venus.access(caller, fid), fid);
  },
  '/access/set': async (venus, read) => {
    const order = await read(setSchema);
    const caller = { user: order.user };
    const fid = await fidOf(venus, caller, order.path);
    await venus.setAccess(caller, fid, order.list);
    return plain(await venus.access(caller, fid), fid);
  },
};

function plain({ rights, lists }: Access, fid: string): AccessOf {
  const [first] = lists;
  return { rights, own: first?.directory === fid, lists: lists.map(({ list }) => list) };
}
