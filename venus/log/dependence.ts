/**
 * Which entries of the log can only be applied after which others. Two changes of different names of one
 * directory do not depend on each other; whatever is not in the table may be applied in either order, to the
 * same end. Pure.
 *
 *   later record                           earlier record                            mark
 *   any, of an object                      any, of the same object                   object
 *   binds or unbinds a name                binds or unbinds the same name            name
 *   uses a directory as a parent           makes this directory                      made
 *   removes a directory                    takes a name out of it                    emptied
 *   moves an object into a directory       moves this directory to another one       moved   (else: a loop)
 *   moves a directory to another one       moves something out of it                 left    (else: a loop)
 *
 * A repair is of its object alone: it leaves the object where it is and under the name that it bears.
 *
 * Who has put a name into a directory that is removed later need not be asked: whoever took it out again
 * depends on that, and the removal on him. A new object in a directory that has been moved or changed depends
 * on the directory's making alone. A loop that shows only with the tree at hand, between more distant
 * relatives, is left to the servers: they refuse the later record.
 *
 * An entry depends on another directly here; what depends on that depends on both (see Precedents).
 */
import { fidsOf, type Fid, type Mutation } from '../../vice/interface/index.js';
import type { Logged } from './draft.js';

/** Whether `later` can only be applied after `earlier` was. */
export function dependsOn(later: Logged, earlier: Logged): boolean {
  const precedents = new Precedents();
  precedents.add(earlier);
  return precedents.isNeededBy(later);
}

/** Entries that later ones may have to wait for; asking costs the same however many they are. */
export class Precedents {
  readonly #marks = new Set<string>();

  add(earlier: Logged): void {
    for (const record of earlier.records) for (const mark of left(record)) this.#marks.add(mark);
  }

  /** Whether `later` depends on one of them. */
  isNeededBy(later: Logged): boolean {
    return later.records.some((record) => needed(record).some((mark) => this.#marks.has(mark)));
  }
}

/** Left column of the table: marks that `later` must not be sent before. */
function needed(later: Mutation): readonly string[] {
  const marks = [`object ${later.fid}`, ...nameMarks(later)];
  for (const directory of directoriesOf(later)) marks.push(`made ${directory}`);
  if (later.op === 'rmdir') marks.push(`emptied ${later.fid}`);
  if (isMove(later)) marks.push(`moved ${later.toParent}`, `left ${later.fid}`);
  return marks;
}

/** Middle column of the table: marks that `earlier` leaves. */
function left(earlier: Mutation): readonly string[] {
  const marks = [`object ${earlier.fid}`, ...nameMarks(earlier)];
  if (earlier.op === 'mkdir') marks.push(`made ${earlier.fid}`);
  if (earlier.op === 'remove' || earlier.op === 'rmdir') marks.push(`emptied ${earlier.parent}`);
  if (earlier.op === 'rename') marks.push(`emptied ${earlier.fromParent}`);
  if (isMove(earlier)) marks.push(`moved ${earlier.fid}`, `left ${earlier.fromParent}`);
  return marks;
}

/** The directories whose names `record` changes. */
export function directoriesOf(record: Mutation): readonly Fid[] {
  return fidsOf(record).filter((fid) => fid !== record.fid);
}

function nameMarks(record: Mutation): readonly string[] {
  switch (record.op) {
    case 'create':
    case 'mkdir':
    case 'symlink':
    case 'remove':
    case 'rmdir':
      return [nameMark(record.parent, record.name)];
    case 'rename':
      return [nameMark(record.fromParent, record.fromName), nameMark(record.toParent, record.toName)];
    default:
      return [];
  }
}

/** A Fid has no slash, so this is one name of one directory. */
function nameMark(directory: Fid, name: string): string {
  return `name ${directory}/${name}`;
}

function isMove(record: Mutation): record is Extract<Mutation, { op: 'rename' }> {
  return record.op === 'rename' && record.fromParent !== record.toParent;
}
