/** A listing of a large directory gives others their turn, and is of one moment all the same. */
import t from 'tap';
import { NameNews } from '../store/name-news.js';
import { emptyRoot, rootFid, seal, type Fid, type VolumeId } from '../interface/index.js';
import { MemoryStore } from '../seam/twin/memory-store.js';
import { VolumeKeys, VolumeReader, type ObjectRow } from '../store/volume-store.js';
import { DirectoryListing } from './directory-listing.js';

const volume = '7f000001' as VolumeId;
const root = rootFid(volume);
const keys = new VolumeKeys(volume);
const many = 2000;
const nameOf = (number: number): string => `name-${`${number}`.padStart(4, '0')}`;
const fidOf = (number: number): Fid => `${volume}.${(number + 2).toString(16)}.00000000000000aa` as Fid;

class Stand {
  readonly store = new MemoryStore({});
  #stamp = 0;
  #directory: ObjectRow = { status: emptyRoot(root), removed: false, stamp: 0, forced: 0, bound: null };

  fill(): Promise<void> {
    return this.store.transact((transaction) => {
      for (let number = 0; number < many; number += 1) {
        transaction.put(keys.entry(root, nameOf(number)), seal({ fid: fidOf(number), kind: 'file' }));
      }
    });
  }

  /** The object `number` bears another name from now on. */
  rename(number: number, name: string): Promise<void> {
    this.#stamp += 1;
    this.#names.set(number, name);
    const status = { ...this.#directory.status, names: `${this.#stamp}`.padStart(16, '0') };
    this.#directory = { ...this.#directory, status, stamp: this.#stamp };
    return this.store.transact((transaction) => {
      transaction.remove(keys.entry(root, nameOf(number)));
      transaction.put(keys.entry(root, name), seal({ fid: fidOf(number), kind: 'file' }));
    });
  }

  readonly #names = new Map<number, string>();

  listing(): DirectoryListing {
    const directory = (): { row: ObjectRow; digest: string } => ({ row: this.#directory, digest: 'd' });
    const object = (fid: Fid): ObjectRow => {
      const number = parseInt(fid.split('.')[1] ?? '', 16) - 2;
      const name = this.#names.get(number) ?? nameOf(number);
      const status = { ...emptyRoot(fid), kind: 'file' } as const;
      return { ...this.#directory, status, bound: { directory: root, name, wanted: name } };
    };
    const source = { reader: new VolumeReader(this.store, keys), news: new NameNews(), directory, object };
    return new DirectoryListing(root, source, directory());
  }
}

t.test('others have their turn while the names are read, and a rename then is in all of it', async (t) => {
  const stand = new Stand();
  await stand.fill();
  const listing = stand.listing();
  let turns = 0;
  const names: string[] = [];
  for (const step of listing.steps) {
    if (step !== undefined) names.push(step.name);
    // From what is not read yet to the front: by either name it would be missed.
    else if ((turns += 1) === 1) await stand.rename(many - 1, 'first');
  }
  t.ok(turns > 3, 'no turn reads them all');
  t.equal(names.length, many);
  t.ok(names.includes('first') && !names.includes(nameOf(many - 1)));
  t.equal(listing.status.names, '0000000000000001', 'the digest is that of these names');
});

t.test('a directory that changes all the time is listed in the end', async (t) => {
  const stand = new Stand();
  await stand.fill();
  let renamed = 0;
  const names: string[] = [];
  for (const step of stand.listing().steps) {
    if (step !== undefined) names.push(step.name);
    else await stand.rename((renamed += 1), `other-${renamed}`);
  }
  t.equal(names.length, many);
  t.ok(renamed > 3);
});
