/** What the control door of a gateway answers about hoarding and the cache. */
import { z } from 'zod';
import { sleep, type Clock } from '../../vice/seam/clock.js';
import type { HoardCommand, MissingObject, Venus } from '../../venus/interface.js';
import { ByteAnswer } from './control-stream.js';

const user = z.string().min(1).max(256);
const path = z.string().max(100_000);
const attributes = z.enum(['', 'c', 'c+', 'd', 'd+']);
const priority = z.number().int().min(1).max(1000);
const ofSchema = z.strictObject({ user: user.nullable() });
const noneSchema = z.strictObject({});
const periodicSchema = z.strictObject({ periodic: z.boolean() });
const limitSchema = z.strictObject({ bytes: z.number().int().positive().nullable() });
const commandSchema = z.discriminatedUnion('command', [
  z.strictObject({ command: z.literal('add'), path, priority, attributes }),
  z.strictObject({ command: z.literal('delete'), path }),
  z.strictObject({ command: z.literal('clear') }),
]);
const applySchema = z.strictObject({ user, commands: z.array(commandSchema).max(20_000) });

/** A command of a person; paths are from the root of the share. */
export type HoardOrder = z.infer<typeof commandSchema>;

/** As it comes out of the door. */
const progressSchema = z.object({
  phase: z.enum(['status', 'data']),
  objects: z.number(),
  doneObjects: z.number(),
  bytes: z.number(),
  doneBytes: z.number(),
  left: z.number().nullable(),
});
export type ProgressOf = z.infer<typeof progressSchema>;
const walkedSchema = z.object({
  objects: z.number(),
  bytes: z.number(),
  fetchedObjects: z.number(),
  fetchedBytes: z.number(),
  missing: z.number(),
});
export type WalkedOf = z.infer<typeof walkedSchema>;
export const walkLineSchema = z.union([
  z.object({ walked: walkedSchema }),
  z.object({ progress: progressSchema.nullable() }),
]);
export const changeSchema = z.object({ added: z.number(), removed: z.number() });
export const listSchema = z.object({
  entries: z.array(
    z.object({
      user: z.string(),
      path: z.string(),
      priority: z.number(),
      attributes: z.enum(['', 'c+', 'd+']),
    }),
  ),
  periodic: z.boolean(),
  lastWalk: z.number().nullable(),
});
export const missingSchema = z.object({
  user: z.string(),
  path: z.string(),
  priority: z.number(),
  length: z.number(),
  reason: z.enum(['not-found', 'access-denied', 'no-room', 'unreachable', 'failed', 'not-walked']),
});
export type MissingOf = z.infer<typeof missingSchema>;
export const cacheStateSchema = z.object({
  limitBytes: z.number(),
  bytes: z.number(),
  files: z.number(),
  diskBytes: z.number(),
});
export const cachedSchema = z.object({
  path: z.string().nullable(),
  length: z.number(),
  priority: z.number(),
  hoard: z.number(),
  stay: z.enum(['open', 'logged', 'sticky']).nullable(),
});
export type CachedOf = z.infer<typeof cachedSchema>;
/** Without a path: nothing was opened for a while, and the gateway lives. */
export const openedSchema = z.object({ user: z.string().optional(), path: z.string().nullish() });

const progressMs = 500;
const heartbeatMs = 5_000;
/** Opens that wait to be told; more are forgotten, oldest first. */
const waitingMost = 100_000;

type Read = <T>(schema: z.ZodType<T>) => Promise<T>;

export const hoardOrders: Readonly<
  Record<string, (venus: Venus, read: Read, clock: Clock) => Promise<unknown>>
> = {
  '/hoard/list': async ({ hoard }, read) => {
    const { user: owner } = await read(ofSchema);
    const entries = hoard.entries(owner).map((entry) => ({ ...entry, path: textOf(entry.path) }));
    const { periodic, lastWalk } = hoard.state();
    return { entries, periodic, lastWalk };
  },
  '/hoard/apply': async ({ hoard }, read) => {
    const order = await read(applySchema);
    return hoard.apply(order.user, order.commands.map(commandOf));
  },
  '/hoard/walk': async (venus, read, clock) => {
    await read(noneSchema);
    return new ByteAnswer(walking(venus, clock));
  },
  '/hoard/verify': async ({ hoard }, read) => {
    const { user: owner } = await read(ofSchema);
    const plain = (missing: MissingObject): MissingOf => ({ ...missing, path: textOf(missing.path) });
    return new ByteAnswer(lines(hoard.verify(owner), plain));
  },
  '/hoard/periodic': async ({ hoard }, read) => {
    const { periodic } = await read(periodicSchema);
    await hoard.setPeriodic(periodic);
    return { periodic };
  },
  '/hoard/spy': async (venus, read, clock) => {
    const { user: owner } = await read(ofSchema);
    return new ByteAnswer(spying(venus, owner, clock));
  },
  '/cache/state': async ({ hoard }, read) => {
    await read(noneSchema);
    return hoard.cache.state();
  },
  '/cache/contents': async ({ hoard }, read) => {
    await read(noneSchema);
    return new ByteAnswer(
      lines(hoard.cache.contents(), ({ digest: _digest, ...cached }): CachedOf => {
        return { ...cached, path: cached.path && textOf(cached.path) };
      }),
    );
  },
  '/cache/limit': async ({ hoard }, read) => {
    await hoard.cache.setLimit((await read(limitSchema)).bytes);
    return hoard.cache.state();
  },
};

function commandOf(order: HoardOrder): HoardCommand {
  if (order.command === 'clear') return order;
  return { ...order, path: order.path.split('/').filter((name) => name !== '') };
}

function textOf(names: readonly string[]): string {
  return `/${names.join('/')}`;
}

/** How the walk goes, from time to time, and at its end what it came to. */
async function* walking({ hoard }: Venus, clock: Clock): AsyncGenerator<Uint8Array> {
  let walked: WalkedOf | undefined;
  const walk = hoard.walk().then((outcome) => {
    walked = outcome;
  });
  // While nobody waits for it, it may already have failed.
  walk.catch(() => undefined);
  while (walked === undefined) {
    yield line({ progress: hoard.state().walk });
    await Promise.race([walk, sleep(clock, progressMs)]);
  }
  yield line({ walked });
}

async function* spying({ hoard }: Venus, user: string | null, clock: Clock): AsyncGenerator<Uint8Array> {
  let waiting: string[] = [];
  let wake: () => void = () => undefined;
  const stop = hoard.watchOpens((opened) => {
    if (user !== null && opened.user !== user) return;
    if (waiting.length >= waitingMost) waiting.shift();
    waiting.push(`${JSON.stringify({ user: opened.user, path: opened.path && textOf(opened.path) })}\n`);
    wake();
  });
  try {
    for (;;) {
      const told = waiting.length === 0 ? '{}\n' : waiting.join('');
      waiting = [];
      yield Buffer.from(told);
      const something = new Promise<void>((resolve) => (wake = resolve));
      if (waiting.length === 0) await Promise.race([something, sleep(clock, heartbeatMs)]);
    }
  } finally {
    stop();
  }
}

async function* lines<T>(
  batches: AsyncIterable<readonly T[]>,
  plain: (item: T) => unknown,
): AsyncGenerator<Uint8Array> {
  for await (const batch of batches) {
    if (batch.length > 0) yield Buffer.from(batch.map((item) => `${JSON.stringify(plain(item))}\n`).join(''));
  }
}

function line(value: object): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}
