/**
 * What the optimizer saves, in numbers, and that Coda's rules would not save more. Two traces of a
 * disconnected day: one like the Andrew benchmark (a source tree is copied and compiled), one like an office
 * (documents are saved as applications save them).
 */
import t from 'tap';
import {
  digestFor,
  LoggingVenus,
  planted,
  root,
  volume,
  otherVenus,
  type Change,
} from '../../conformance/modify-log/logging-venus.js';
import { difference, type PlainTree } from '../../conformance/modify-log/plain-tree.js';
import { replay } from '../../conformance/modify-log/random-walk.js';
import { fidsOf, isCreation, makeFid, type Fid, type Mutation } from '../../vice/interface/index.js';

const user = 'ann';
const documents = ['offer.docx', 'budget.xlsx', 'talk.pptx', 'minutes.docx', 'plan.odt'];

function start(): PlainTree {
  return planted([
    { fid: root, parent: null, name: '', kind: 'directory' },
    ...documents.slice(0, 3).map((name, index) => {
      return { fid: makeFid(volume, 2 + index, otherVenus), parent: root, name, kind: 'file' as const };
    }),
  ]);
}

/** A person at work: paths and sizes instead of records. */
class Worker {
  readonly venus: LoggingVenus;
  #digests = 1;

  constructor(venus: LoggingVenus) {
    this.venus = venus;
  }

  /** A close of a written file. */
  write(parent: Fid, name: string, length: number): Fid {
    const existing = this.venus.cache.entry(parent, name)?.fid;
    const fid = existing ?? this.venus.newFid();
    this.#digests += 1;
    const modified = this.#digests;
    const stored: Change = {
      op: 'store',
      fid,
      length,
      digest: digestFor(modified),
      modified,
      saved: modified,
    };
    const created: Change = { op: 'create', parent, name, fid, mode: 0o644 };
    this.venus.change(user, existing === undefined ? [created, stored] : [stored]);
    return fid;
  }

  makeDirectory(parent: Fid, name: string): Fid {
    const fid = this.venus.newFid();
    this.venus.change(user, [{ op: 'mkdir', parent, name, fid, mode: 0o755 }]);
    return fid;
  }

  remove(parent: Fid, name: string): void {
    this.venus.change(user, this.#removal(parent, name));
  }

  /** What bears the target name goes in the same step. */
  rename(parent: Fid, name: string, toName: string): void {
    const fid = this.#fid(parent, name);
    const replaced =
      this.venus.cache.entry(parent, toName) === undefined ? [] : this.#removal(parent, toName);
    this.venus.change(user, [
      ...replaced,
      { op: 'rename', fromParent: parent, fromName: name, toParent: parent, toName, fid },
    ]);
  }

  touch(fid: Fid): void {
    this.#digests += 1;
    this.venus.change(user, [{ op: 'utimes', fid, modified: this.#digests }]);
  }

  chmod(fid: Fid, mode: number): void {
    this.venus.change(user, [{ op: 'chmod', fid, mode }]);
  }

  #removal(parent: Fid, name: string): readonly Change[] {
    const fid = this.#fid(parent, name);
    const op = this.venus.cache.status(fid)?.kind === 'directory' ? 'rmdir' : 'remove';
    return [{ op, parent, name, fid }];
  }

  #fid(parent: Fid, name: string): Fid {
    const entry = this.venus.cache.entry(parent, name);
    if (entry === undefined) throw new Error(`there is no ${name}`);
    return entry.fid;
  }
}

/** Makes a tree, copies 200 files with their times, compiles them twice, archives and links, cleans up. */
function andrew(worker: Worker): void {
  const top = worker.makeDirectory(root, 'andrew');
  const folders = Array.from({ length: 20 }, (_, index) => worker.makeDirectory(top, `src${index}`));
  for (const [number, folder] of folders.entries()) {
    for (let index = 0; index < 10; index += 1) {
      const file = worker.write(folder, `file${index}.c`, 1000 + 137 * ((number * 10 + index) % 50));
      worker.chmod(file, 0o644);
      worker.touch(file);
    }
  }
  for (let pass = 0; pass < 2; pass += 1) {
    for (const folder of folders) {
      const scratch = worker.makeDirectory(folder, 'tmp');
      for (let index = 0; index < 10; index += 1) {
        worker.write(scratch, `cc${index}.s`, 12_000);
        // The assembler writes, seeks back and writes again: two closes.
        worker.write(folder, `file${index}.o`, 4000);
        worker.write(folder, `file${index}.o`, 4100);
        worker.remove(scratch, `cc${index}.s`);
      }
      worker.write(folder, 'lib.a.new', 41_000);
      worker.rename(folder, 'lib.a.new', 'lib.a');
      worker.remove(folder, 'tmp');
    }
    worker.chmod(worker.write(top, 'a.out', 800_000), 0o755);
  }
}

/** Five documents, two of them new, each saved fifteen times in one of three ways; lock files come and go. */
function office(worker: Worker): void {
  for (const [index, name] of documents.entries()) {
    const lock = index < 3 ? `~$${name}` : `.~lock.${name}#`;
    worker.write(root, lock, 165);
    for (let save = 0; save < 15; save += 1) {
      const length = 200_000 + 1000 * save;
      if (index % 3 === 0) {
        // Microsoft Office: a temporary file, and the old document aside until the new one has its name.
        worker.write(root, '~WRD0001.tmp', length);
        const isSaved = worker.venus.cache.entry(root, name) !== undefined;
        if (isSaved) worker.rename(root, name, '~WRL0002.tmp');
        worker.rename(root, '~WRD0001.tmp', name);
        if (isSaved) worker.remove(root, '~WRL0002.tmp');
      } else if (index % 3 === 1) {
        // Many editors: a temporary file renamed over the document.
        worker.write(root, `${name}.tmp`, length);
        worker.rename(root, `${name}.tmp`, name);
      } else {
        // LibreOffice: over the old contents; then the time as the program has it.
        worker.touch(worker.write(root, name, length));
      }
    }
    worker.remove(root, lock);
  }
}

/** Coda's own rules (Kistler's table), counted on a flat list: no entries, no users, nothing frozen. */
class CodaLog {
  #records: Mutation[] = [];

  get records(): readonly Mutation[] {
    return this.#records;
  }

  append(record: Mutation): void {
    const { fid } = record;
    const isLater = (place: number, op: Mutation['op']): boolean =>
      this.#records.some((other, at) => at > place && other.fid === fid && other.op === op);
    switch (record.op) {
      case 'store':
        this.#cancel(fid, ['utimes']);
        this.#records = this.#records.filter(
          (other, at) => other.fid !== fid || other.op !== 'store' || isLater(at, 'chown'),
        );
        break;
      case 'chmod':
        this.#records = this.#records.filter(
          (other, at) => other.fid !== fid || other.op !== 'chmod' || isLater(at, 'store'),
        );
        break;
      case 'utimes':
      case 'chown':
        this.#cancel(fid, [record.op]);
        break;
      case 'remove':
      case 'rmdir': {
        this.#cancel(fid, ['store', 'utimes', 'chown', 'chmod']);
        const touching = this.#records.filter((other) => fidsOf(other).includes(fid));
        const isMadeHere = touching.some((other) => isCreation(other) && other.fid === fid);
        if (!isMadeHere || touching.some((other) => other.fid !== fid)) break;
        this.#records = this.#records.filter((other) => other.fid !== fid);
        return;
      }
      default:
        break;
    }
    this.#records.push(record);
  }

  #cancel(fid: Fid, ops: readonly Mutation['op'][]): void {
    this.#records = this.#records.filter((other) => other.fid !== fid || !ops.includes(other.op));
  }
}

/** Contents, and records as text, which is more than they travel as. */
function sizeOf(records: readonly Mutation[]): { readonly records: number; readonly bytes: number } {
  let bytes = 0;
  for (const record of records) {
    bytes += JSON.stringify(record).length + (record.op === 'store' ? record.length : 0);
  }
  return { records: records.length, bytes };
}

for (const [name, trace] of Object.entries({ andrew, office })) {
  t.test(`a trace like ${name}`, async (t) => {
    const tree = start();
    const servers = tree.clone();
    const worker = new Worker(new LoggingVenus(tree));
    trace(worker);
    const coda = new CodaLog();
    for (const record of worker.venus.unoptimized) coda.append(record);
    const [before, after, theirs] = [
      sizeOf(worker.venus.unoptimized),
      sizeOf(worker.venus.records()),
      sizeOf(coda.records),
    ];
    const kept = (part: number, whole: number): string => `${Math.round((100 * part) / whole)} %`;
    t.comment(`unoptimized: ${before.records} records, ${before.bytes} bytes`);
    t.comment(`optimized: ${after.records} records, ${after.bytes} bytes`);
    t.comment(`left: ${kept(after.records, before.records)} and ${kept(after.bytes, before.bytes)}`);
    t.comment(`by Coda's rules: ${theirs.records} records, ${theirs.bytes} bytes`);
    t.ok(after.records <= theirs.records, 'no more records than Coda would keep');
    t.ok(after.bytes <= theirs.bytes, 'no more bytes than Coda would keep');
    t.ok(after.bytes < before.bytes / 2, 'less than half of what was written');
    replay(servers, worker.venus.log.values());
    t.equal(difference(tree, servers), undefined);
  });
}
