/** Whether what a MemoryVenus has is what a caller expects of it. */
import { Failure } from '../../vice/interface/index.js';
import type { Expectation, ObjectStatus } from '../interface.js';
import { viewOf, type Seen } from './memory-names.js';
import type { MemoryTree } from './memory-tree.js';

/** @throws Failure changed, not-empty */
export function mustBeExpected(
  tree: MemoryTree,
  { version, unchanged }: Expectation = {},
  found: Seen | undefined,
  operation: string,
): void {
  const current = found === undefined ? null : (found.sibling ?? found.status.data)?.storeId;
  if (version !== undefined && version !== current) throw changed(operation);
  if (unchanged === undefined) return;
  if (found === undefined || comparable(viewOf(tree, found)) !== comparable(unchanged)) {
    throw changed(operation);
  }
  const { kind, fid } = found.status;
  if (kind === 'directory' && tree.entries(fid).length > 0) {
    throw new Failure('not-empty', `memory.${operation}`, 'there is something in it');
  }
}

/** What must be the same. */
function comparable({ fid, kind, version, modified, mode, properties }: ObjectStatus): string {
  const set = Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([fid, version, kind === 'directory' ? 0 : modified, mode, set]);
}

function changed(operation: string): Failure {
  return new Failure('changed', `memory.${operation}`, 'it is another version by now');
}
