/** What the control door of a gateway answers beside its status: orders to its Venus. */
import { z } from 'zod';
import type { Clock } from '../../vice/seam/clock.js';
import { sleep } from '../../vice/seam/clock.js';
import type { PendingChange, Venus } from '../../venus/interface.js';
import { OperatorError } from '../config/operator-error.js';
import { accessOrders } from './access-orders.js';
import { conflictOrders, merge, type ResolverFailure } from './conflict-orders.js';
import type { Answer } from './control-door.js';
import { ByteAnswer, type Body } from './control-stream.js';
import { hoardOrders } from './hoard-orders.js';
import { mountOrders } from './mount-orders.js';
import { pastOrders } from './past-orders.js';
import { treeOrders } from './tree-orders.js';
import { putFile } from './tree-put.js';
import { ordered as resolversOrdered, resolverOrderSchema, type ResolverControl } from './resolver-orders.js';

const serversSchema = z.strictObject({ servers: z.array(z.string()).max(1000) });
const modeSchema = z.strictObject({
  volume: z.string().nullable(),
  mode: z.enum(['write-through', 'write-disconnected']),
});
const sequences = z.array(z.number().int().nonnegative()).max(1_000_000);
const checkpointSchema = z.strictObject({ sequences: sequences.optional() });
const discardSchema = z.strictObject({ sequences });

/** Changes in one chunk of their listing. */
const listed = 200;

type Order = (venus: Venus, body: Body, clock: Clock) => Promise<unknown>;

const orders: Readonly<Record<string, Order>> = {
  '/disconnect': async (venus, body) => {
    await venus.disconnect((await ordered(body, serversSchema)).servers);
    return { servers: venus.state().servers };
  },
  '/reconnect': async (venus, body) => {
    await venus.reconnect((await ordered(body, serversSchema)).servers);
    return { servers: venus.state().servers };
  },
  '/volume-mode': async (venus, body) => {
    const { volume, mode } = await ordered(body, modeSchema);
    await venus.setVolumeMode(volume, mode);
    return { volumes: venus.state().volumes.map(({ name, mode }) => ({ name, mode })) };
  },
  '/log/changes': async (venus, _body, clock) => new ByteAnswer(lines(venus.log.changes(), clock)),
  '/log/checkpoint': async (venus, body) =>
    new ByteAnswer(venus.log.checkpoint((await ordered(body, checkpointSchema)).sequences)),
  '/log/restore': async (venus, body) => venus.log.restore(body),
  '/log/discard': async (venus, body) => {
    return { discarded: await venus.log.discard((await ordered(body, discardSchema)).sequences) };
  },
};

export function venusAnswer(
  venus: Venus,
  clock: Clock,
  resolverFailure: ResolverFailure = () => null,
  resolvers?: ResolverControl,
): Answer {
  return async (method, path, body) => {
    if (method !== 'POST') return undefined;
    const [route = '', query = ''] = path.split('?', 2);
    if (route === '/conflicts/merge') return merge(venus, new URLSearchParams(query), body);
    if (route === '/tree/put') return putFile(venus, new URLSearchParams(query), body, clock);
    const read = <T>(schema: z.ZodType<T>): Promise<T> => ordered(body, schema);
    if (Object.hasOwn(conflictOrders, route)) return conflictOrders[route]?.(venus, read, resolverFailure);
    if (Object.hasOwn(accessOrders, route)) return accessOrders[route]?.(venus, read);
    if (route === '/resolvers' && resolvers !== undefined)
      return resolversOrdered(resolvers, await read(resolverOrderSchema));
    if (Object.hasOwn(mountOrders, route)) return mountOrders[route]?.(venus, read, clock);
    if (Object.hasOwn(treeOrders, route)) return treeOrders[route]?.(venus, read, clock);
    if (Object.hasOwn(pastOrders, route)) return pastOrders[route]?.(venus, read);
    if (Object.hasOwn(hoardOrders, route)) return hoardOrders[route]?.(venus, read, clock);
    const order = Object.hasOwn(orders, route) ? orders[route] : undefined;
    return order?.(venus, body, clock);
  };
}

async function ordered<T>(body: Body, schema: z.ZodType<T>): Promise<T> {
  const parsed = schema.safeParse(await body.json());
  if (parsed.success) return parsed.data;
  throw new OperatorError(
    'usage',
    'The gateway does not know this order. Use the `coda` of its own version.',
  );
}

/** One line of JSON for each change. */
async function* lines(changes: readonly PendingChange[], clock: Clock): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < changes.length; at += listed) {
    yield Buffer.from(
      changes
        .slice(at, at + listed)
        .map((change) => `${JSON.stringify(change)}\n`)
        .join(''),
    );
    await sleep(clock, 0);
  }
}
