/**
 * Contents that a waiting change names and that cannot be read here any more (the disk has damaged them), or that were
 * never here (a large file was copied by reference, and its original was replaced). Pure.
 *
 * LC-1  Such a change waits for whoever may have them. Once every server of the group has said, again and again, that
 *       it has them not, nobody has: then the change is kept for a person (ML-5), and what comes after it goes on.
 */
import { Failure, isFailure } from '../../vice/interface/index.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { LogEntry } from '../log/modify-log.js';
import type { UpdateReply } from '../volume/collate.js';
import { refusalsLeast } from './held.js';
import { passing } from './refusal.js';

/** Why `entry`, which nobody took `tries` times before, can never be sent; undefined: it can. */
export function lostContents<M>(
  entry: LogEntry,
  tries: number,
  { members }: { readonly members: readonly M[] },
  replies: readonly UpdateReply<M>[],
  containers: Pick<ContainerCache, 'has'>,
): Failure | undefined {
  if (!entry.acknowledged || entry.appliedBy.length > 0 || tries < refusalsLeast) return undefined;
  const refusing = replies.filter((item) => 'failure' in item && !isFailure(item.failure, ...passing));
  if (!members.every((member) => refusing.some((item) => item.member === member))) return undefined;
  const lost = entry.records.find(
    (record) => record.op === 'store' && record.length > 0 && !containers.has(record.digest),
  );
  if (lost === undefined) return undefined;
  const message = "its contents cannot be read on this gateway's disk any more, and no server has them";
  return new Failure('damaged', 'venus.log', message, { fid: lost.fid });
}
