/**
 * Where volumes are seen, as the newest realm document says (vice/interface/mounts.ts): names and directories lead on
 * from one volume to the next, and back. Records never do: each names objects of one volume only.
 *
 * MV-1  Whoever goes down a name asks `over` of what the name means, whoever goes up asks `under` first. What changes a
 *       name itself (rename, remove) means the covered directory.
 */
import {
  mountsOf,
  realmRoot,
  rootFid,
  volumeOf,
  type Fid,
  type RealmDocument,
  type VolumeId,
} from '../../vice/interface/index.js';

/** A directory, and the volume whose root is seen in its place. */
export interface Mount {
  readonly directory: Fid;
  /** Name of the volume. */
  readonly volume: string;
}

export class Mounts {
  #root: Fid;
  #over: ReadonlyMap<Fid, VolumeId>;
  /** A volume's root -> the directory that it covers. */
  #under: ReadonlyMap<Fid, Fid>;
  #names: ReadonlyMap<VolumeId, string>;

  constructor(document: RealmDocument) {
    this.#root = realmRoot(document);
    this.#over = mountsOf(document);
    this.#under = new Map([...this.#over].map(([directory, volume]) => [rootFid(volume), directory]));
    this.#names = new Map(document.volumes.map(({ id, name }) => [id, name]));
  }

  /** The realm has changed. */
  follow(document: RealmDocument): void {
    const next = new Mounts(document);
    this.#root = next.#root;
    this.#over = next.#over;
    this.#under = next.#under;
    this.#names = next.#names;
  }

  /** Of the realm. */
  get root(): Fid {
    return this.#root;
  }

  /** What is seen where `directory` is: the root of the volume that is mounted on it, else itself. */
  over(directory: Fid): Fid {
    const volume = this.#over.get(directory);
    return volume === undefined ? directory : rootFid(volume);
  }

  /** What bears the name under which `fid` is seen: the directory that it covers, else itself. */
  under(fid: Fid): Fid {
    return this.#under.get(fid) ?? fid;
  }

  /** The directory above what has this `parent`; null: there is none, or what is in it is not seen. */
  above(parent: Fid | null): Fid | null {
    return parent !== null && this.#over.has(parent) ? null : parent;
  }

  on(directory: Fid): Mount | undefined {
    const volume = this.#over.get(directory);
    return volume === undefined ? undefined : { directory, volume: this.#names.get(volume) ?? volume };
  }

  /** Those on directories of `volume`. */
  in(volume: VolumeId): readonly Mount[] {
    return [...this.#over.keys()].flatMap((directory) =>
      volumeOf(directory) === volume ? (this.on(directory) ?? []) : [],
    );
  }
}
