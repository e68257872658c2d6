/** What an If header says of a file holds at the moment of the change, not only when it is checked. */
import t from 'tap';
import { isFailure, type Venus } from '../../venus/interface.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import { copy } from './copy.js';
import { remove } from './delete.js';
import { move } from './move.js';
import { put } from './put.js';
import { ann, Rehearsal, rehearsalStart } from './rehearsal.js';

/** A share where somebody else saves `file` just before each change of it. */
class Raced extends Rehearsal {
  readonly venus: MemoryVenus;
  isRaced = false;

  constructor() {
    const venus = new MemoryVenus({ wall: () => rehearsalStart, capacity: 10_000 });
    let raced: (() => boolean) | undefined;
    const save = async (): Promise<void> => {
      if (raced?.() === true) await this.save('of somebody else');
    };
    const late: Partial<Venus> = {
      rename: async (...all) => save().then(() => venus.rename(...all)),
      copy: async (...all) => save().then(() => venus.copy(...all)),
      remove: async (...all) => save().then(() => venus.remove(...all)),
      write: async (caller, announced) => save().then(() => venus.write(caller, announced)),
    };
    const raceable = new Proxy<Venus>(venus, {
      get: (target, key) => {
        const value: unknown = Reflect.get(late, key) ?? Reflect.get(target, key);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    super(raceable);
    this.venus = venus;
    raced = () => this.isRaced;
  }

  async save(text: string, name = 'file'): Promise<void> {
    const { object: root } = await this.venus.lookup(ann, []);
    const writer = await this.venus.write(ann);
    await writer.write(Buffer.from(text));
    await writer.close({ parent: root?.fid ?? ('' as never), name });
  }

  async etag(): Promise<string> {
    const { object } = await this.venus.lookup(ann, ['file']);
    return `"${(object?.version ?? '').replace(':', '-')}"`;
  }

  async text(): Promise<string> {
    const { object } = await this.venus.lookup(ann, ['file']);
    if (object === null) return 'nothing';
    const pieces: Uint8Array[] = [];
    for await (const piece of (await this.venus.open(ann, object.fid)).read()) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  }
}

const ways = {
  MOVE: (bench: Raced, condition: string) =>
    bench.send(move, 'MOVE', '/other', { headers: { destination: 'http://h/s/file', if: condition } }),
  COPY: (bench: Raced, condition: string) =>
    bench.send(copy, 'COPY', '/other', { headers: { destination: 'http://h/s/file', if: condition } }),
  DELETE: (bench: Raced, condition: string) =>
    bench.send(remove, 'DELETE', '/file', { headers: { if: condition } }).catch((error: unknown) => {
      // What the shell makes of it (status.ts).
      if (isFailure(error, 'changed')) return { status: 412 };
      throw error;
    }),
  PUT: (bench: Raced, condition: string) =>
    bench.send(put, 'PUT', '/file', { headers: { if: condition }, body: 'ours' }),
} as const;

for (const [method, change] of Object.entries(ways)) {
  t.test(method, async (t) => {
    const bench = new Raced();
    await bench.save('first');
    await bench.save('ours', 'other');
    bench.isRaced = true;
    const seen = `<http://h/s/file> ([${await bench.etag()}])`;
    t.equal((await change(bench, seen)).status, 412);
    t.equal(await bench.text(), 'of somebody else', 'and it is there still');

    bench.isRaced = false;
    const now = `<http://h/s/file> ([${await bench.etag()}])`;
    t.ok((await change(bench, now)).status < 300);
    t.equal(await bench.text(), method === 'DELETE' ? 'nothing' : 'ours');
  });
}
