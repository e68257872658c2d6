/** What the control door of a gateway answers about conflicts. Each order says in whose name it is given. */
import { z } from 'zod';
import {
  isFailure,
  type Caller,
  type ConflictReport,
  type Decision,
  type Fid,
  type StoreId,
  type Venus,
} from '../../venus/interface.js';
import { messageOf, OperatorError } from '../config/operator-error.js';
import type { ConflictOf, DirectoryEntryOf } from './conflict-report.js';
import { ByteAnswer, type Body } from './control-stream.js';

const user = z.string().min(1).max(256);
const listSchema = z.strictObject({ user });
const ofSchema = z.strictObject({ user, path: z.string().max(100_000) });
const objectSchema = z.strictObject({ user, fid: z.string() });
const repairSchema = z.strictObject({
  user,
  fid: z.string(),
  decision: z.union([
    z.strictObject({ keep: z.string(), among: z.array(z.string()).max(1000) }),
    z.strictObject({ giveUp: z.string() }),
    z.strictObject({ keepAll: z.literal(true) }),
  ]),
});
const mergeSchema = z.strictObject({ user, path: z.string(), shown: z.string(), among: z.string() });

/** Which resolver could do nothing for a file, and why. */
export type ResolverFailure = (fid: Fid) => string | null;

type Read = <T>(schema: z.ZodType<T>) => Promise<T>;

/** By path. `body` is JSON; of `/conflicts/merge` it is contents, and the order is in the query. */
export const conflictOrders: Readonly<
  Record<string, (venus: Venus, read: Read, failure: ResolverFailure) => Promise<unknown>>
> = {
  '/conflicts/list': async (venus, read, failure) => {
    const { user } = await read(listSchema);
    const plain = (report: ConflictReport): ConflictOf => plainReport(report, failure);
    return new ByteAnswer(lines(venus.conflicts.list({ user }), plain));
  },
  '/conflicts/overwritten': async (venus, read) => {
    const { user } = await read(listSchema);
    return new ByteAnswer(lines(venus.conflicts.overwritten({ user }), (report) => plainReport(report)));
  },
  '/conflicts/of': async (venus, read, failure) => {
    const { user, path } = await read(ofSchema);
    const fid = await fidOf(venus, { user }, path);
    return {
      conflicts: (await venus.conflicts.of({ user }, fid)).map((report) => plainReport(report, failure)),
    };
  },
  '/conflicts/status': async (venus, read) => {
    const { user, fid } = await read(objectSchema);
    const { kind } = await venus.status({ user }, fid as Fid);
    return { kind };
  },
  '/conflicts/contents': async (venus, read) => {
    const { user, fid } = await read(objectSchema);
    return new ByteAnswer(contents(venus, { user }, fid as Fid));
  },
  '/conflicts/entries': async (venus, read) => {
    const { user, fid } = await read(objectSchema);
    const entries = venus.list({ user }, fid as Fid);
    return new ByteAnswer(
      lines(entries, ({ name, status: { kind, length, modified } }): DirectoryEntryOf => {
        return { name, kind, length, modified };
      }),
    );
  },
  '/conflicts/repair': async (venus, read) => {
    const { user, fid, decision } = await read(repairSchema);
    await venus.conflicts.repair({ user }, fid as Fid, decision as Decision);
    return {};
  },
};

/**
 * `POST /conflicts/merge?user=...&path=...&shown=...&among=...` with contents: they become the file's, and the versions
 * `among` those that were looked at (by commas) give way to them, if `shown` is still the one that is shown.
 */
export async function merge(venus: Venus, query: URLSearchParams, body: Body): Promise<unknown> {
  const order = mergeSchema.safeParse(Object.fromEntries(query));
  if (!order.success) throw new OperatorError('usage', 'The gateway does not know this order.');
  const caller = { user: order.data.user };
  const { parent, name, object } = await venus.lookup(caller, namesOf(order.data.path));
  if (parent === null || object === null) throw nothingThere(order.data.path);
  const writer = await venus.write(caller, undefined, { into: parent });
  try {
    for await (const chunk of body) await writer.write(chunk);
    const expect = { version: order.data.shown as StoreId };
    const { status } = await writer.close({ parent, name, expect }).catch((error: unknown) => {
      throw isFailure(error, 'changed') ? overtaken(order.data.path) : error;
    });
    if (status.version === null) throw new Error('what was stored is no file');
    const among = order.data.among.split(',') as StoreId[];
    await venus.conflicts
      .repair(caller, status.fid, { keep: status.version, among })
      .catch((error: unknown) => {
        throw stored(order.data.path, error);
      });
    return { storeId: status.version, size: status.length };
  } finally {
    await writer.abort();
  }
}

/** A path from the root, or a Fid. @throws OperatorError refused */
export async function fidOf(venus: Venus, caller: Caller, path: string): Promise<Fid> {
  if (/^[0-9a-f]{8}\.[0-9a-f]+\.[0-9a-f]{16}(@|$)/.test(path)) return path as Fid;
  try {
    const { object } = await venus.lookup(caller, namesOf(path));
    if (object !== null) return object.fid;
  } catch (error) {
    if (!isFailure(error, 'not-found', 'not-directory', 'invalid')) throw error;
  }
  throw nothingThere(path);
}

function namesOf(path: string): readonly string[] {
  return path.split('/').filter((name) => name !== '');
}

function plainReport(
  { fid, path, kind, versions }: ConflictReport,
  failure: ResolverFailure = () => null,
): ConflictOf {
  const plain = versions.map((version) => ({ ...version, path: pathText(version.path) }));
  const resolver = kind === 'versions' ? failure(fid) : null;
  return { fid, path: pathText(path), kind, versions: plain, resolver };
}

function pathText(path: readonly string[] | null): string | null {
  return path && `/${path.join('/')}`;
}

/** One line of JSON for each item. */
async function* lines<T>(
  batches: AsyncIterable<readonly T[]>,
  plain: (item: T) => unknown,
): AsyncGenerator<Uint8Array> {
  for await (const batch of batches) {
    yield Buffer.from(batch.map((item) => `${JSON.stringify(plain(item))}\n`).join(''));
  }
}

async function* contents(venus: Venus, caller: Caller, fid: Fid): AsyncGenerator<Uint8Array> {
  const file = await venus.open(caller, fid);
  try {
    yield* file.read();
  } finally {
    await file.close();
  }
}

function nothingThere(path: string): OperatorError {
  const advice = 'Give its path from the root of the share, as /docs/plan.txt.';
  return new OperatorError('refused', `There is no ${path} in the share. ${advice}`);
}

function overtaken(path: string): OperatorError {
  return new OperatorError(
    'refused',
    `Somebody has changed ${path} meanwhile. Nothing was stored; look again.`,
  );
}

function stored(path: string, cause: unknown): OperatorError {
  const now = `The contents are stored as ${path}, but the other versions are still beside it`;
  return new OperatorError('refused', `${now} (${messageOf(cause)}). Delete them, or try again.`, { cause });
}
