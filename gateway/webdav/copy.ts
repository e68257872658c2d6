/**
 * COPY: a file in one step, a directory by a walk (RFC 4918 section 9.8).
 *
 * A directory that shall replace something is first copied beside it and then renamed over it: until
 * everything is there the old tree stands, whatever fails. (A crash in the middle leaves the unfinished copy
 * under its own name.)
 */
import { isFailure, type Fid, type Name, type ObjectStatus } from '../../venus/interface.js';
import type { Answer, Exchange } from './exchange.js';
import { modificationTimeOf } from './modification-time.js';
import { memberFailure, partialAnswer, type MemberFailure } from './member-failures.js';
import { depthOf, preconditionFailed } from './target.js';
import { occupied, ownName, replacing, transferOf, type Transfer } from './transfer.js';

/** Members of one directory that are copied at the same time. */
const atOnce = 8;
/** After so many failures the walk ends: the rest would fail too. */
const maxFailures = 100;

export async function copy(exchange: Exchange): Promise<Answer> {
  const { share, caller } = exchange;
  const transfer = await transferOf(exchange);
  const { source, target, targetPath } = transfer;
  const isTree =
    source.object.kind === 'directory' && depthOf(exchange, ['0', 'infinity'], 'infinity') === 'infinity';
  await share.locks.guard(exchange, [
    { place: target, path: targetPath, kind: transfer.replaces ? 'tree' : 'membership' },
  ]);
  const copied = isTree ? await copyTree(exchange, transfer) : await copyOne(exchange, transfer);
  if (copied.failures.length > 0)
    return partialAnswer(exchange, copied.failures, 'Not all of it could be copied');
  const former = transfer.replaces ? target.object : null;
  if (former !== null && former.fid !== copied.fid) await share.locks.dropAll([former.fid]);
  const modified = modificationTimeOf(exchange.headers);
  if (modified !== undefined) await share.venus.setModified(caller, copied.fid, modified);
  return {
    status: transfer.replaces ? 204 : 201,
    ...(modified === undefined ? {} : { headers: { 'X-OC-Mtime': 'accepted' } }),
  };
}

interface Copied {
  readonly fid: Fid;
  readonly failures: readonly MemberFailure[];
}

async function copyOne({ share, caller }: Exchange, transfer: Transfer): Promise<Copied> {
  const { source, to, expect } = transfer;
  try {
    const { status } = await share.venus.copy(caller, source.object.fid, to, replacing(transfer));
    return { fid: status.fid, failures: [] };
  } catch (error) {
    if (isFailure(error, 'exists')) throw occupied();
    if (isFailure(error, 'changed') && expect !== undefined) throw preconditionFailed();
    throw error;
  }
}

async function copyTree(exchange: Exchange, transfer: Transfer): Promise<Copied> {
  const { share, caller } = exchange;
  const { source, to, targetPath, replaces } = transfer;
  const beside = replaces ? { parent: to.parent, name: ownName(share, 'copying') } : to;
  const root = await copyOne(exchange, { ...transfer, to: beside, overwrite: false, expect: undefined });
  const failures = await copyMembers(exchange, { from: source.object.fid, into: root.fid, path: targetPath });
  if (!replaces) return { fid: root.fid, failures };
  if (failures.length > 0) {
    await share.venus.remove(caller, beside.parent, beside.name);
    return { fid: root.fid, failures };
  }
  try {
    await share.venus.rename(caller, beside, to, replacing({ ...transfer, overwrite: true }));
  } catch (error) {
    await share.venus.remove(caller, beside.parent, beside.name).catch(() => undefined);
    if (isFailure(error, 'changed') && transfer.expect !== undefined) throw preconditionFailed();
    throw error;
  }
  return root;
}

/** One directory whose members are still to be copied; `path` is that of the copy. */
interface Step {
  readonly from: Fid;
  readonly into: Fid;
  readonly path: readonly string[];
}

async function copyMembers(exchange: Exchange, first: Step): Promise<readonly MemberFailure[]> {
  const failures: MemberFailure[] = [];
  const open: Step[] = [first];
  for (let step = open.pop(); step !== undefined && failures.length < maxFailures; step = open.pop()) {
    const { from, into, path } = step;
    const copyMember = async (name: string, status: ObjectStatus): Promise<void> => {
      const at = [...path, name];
      const fid = await attempt(exchange, status.fid, { parent: into, name }, at, failures);
      if (fid !== undefined && status.kind === 'directory')
        open.push({ from: status.fid, into: fid, path: at });
    };
    try {
      for await (const batch of exchange.share.venus.list(exchange.caller, from)) {
        for (let start = 0; start < batch.length && failures.length < maxFailures; start += atOnce) {
          const some = batch.slice(start, start + atOnce);
          await Promise.all(some.map(({ name, status }) => copyMember(name, status)));
        }
      }
    } catch (error) {
      failures.push(memberFailure(error, path, true));
    }
  }
  return failures;
}

async function attempt(
  { share, caller }: Exchange,
  source: Fid,
  to: Name,
  path: readonly string[],
  failures: MemberFailure[],
): Promise<Fid | undefined> {
  try {
    return (await share.venus.copy(caller, source, to, { replace: false })).status.fid;
  } catch (error) {
    // Removed while we walked: not there to be copied.
    if (!isFailure(error, 'not-found')) failures.push(memberFailure(error, path, false));
    return undefined;
  }
}
