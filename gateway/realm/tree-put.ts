/** A file of `coda import`, as it comes through the door of a gateway. */
import { z } from 'zod';
import type { Clock } from '../../vice/seam/clock.js';
import { Failure, type Caller, type Fid, type StoreId, type Venus } from '../../venus/interface.js';
import { OperatorError } from '../config/operator-error.js';
import type { Body } from './control-stream.js';
import { answered, fid, plain, time } from './tree-object.js';

const operation = 'gateway.tree';
const putSchema = z.strictObject({
  user: z.string().min(1).max(256),
  parent: fid,
  name: z.string().max(1024),
  length: z.string().regex(/^\d{1,16}$/),
  modified: z.string().regex(/^-?\d{1,16}$/),
  /** The version that is replaced; '': the name must be free. */
  replaces: z.string(),
  /** The file that has it; '': none. */
  file: z.union([fid, z.literal('')]),
});

/**
 * `POST /tree/put?user=...&parent=...&name=...&length=...&modified=...&replaces=...&file=...` with contents: they
 * are stored whole, with that time, or nothing is.
 */
export async function putFile(
  venus: Venus,
  query: URLSearchParams,
  body: Body,
  clock: Clock,
): Promise<unknown> {
  const parsed = putSchema.safeParse(Object.fromEntries(query));
  if (!parsed.success) throw new OperatorError('usage', 'The gateway does not know this order.');
  const { parent, name, replaces, file: replaced, ...order } = parsed.data;
  const [length, modified] = [Number(order.length), time.parse(Number(order.modified))];
  const version = replaces === '' ? null : (replaces as StoreId);
  const caller = { user: order.user };
  return answered(async () => {
    await mayPut(venus, caller, parent, replaced, clock);
    const writer = await venus.write(caller, length === 0 ? undefined : length, { into: parent });
    try {
      for await (const chunk of body) await writer.write(chunk);
      if (writer.length !== length)
        throw new OperatorError('refused', `${writer.length} bytes came of ${length}.`);
      const { status } = await writer.close({ parent, name, expect: { version }, modified });
      return { object: plain(status) };
    } finally {
      await writer.abort();
    }
  });
}

/** Before the body is sent: what the close would refuse, and what somebody has locked (WebDAV). @throws Failure */
async function mayPut(
  venus: Venus,
  caller: Caller,
  parent: Fid,
  replaced: Fid | '',
  clock: Clock,
): Promise<void> {
  const { rights } = await venus.access(caller, parent);
  if (!/[iw]/.test(rights)) {
    throw new Failure('access-denied', operation, `${caller.user} may put nothing into this folder`);
  }
  const now = clock.monotonic();
  const lease = venus.leases.all().find((each) => each.fid === replaced && each.ends > now);
  if (lease !== undefined) throw new Failure('busy', operation, `${lease.holder} has locked it`);
}
