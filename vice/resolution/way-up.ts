/**
 * Which directories have to be merged together with objects of a peer, and in which order, so that the tree is a tree
 * at every moment and nothing gives way that need not.
 *
 * WU-1  A directory comes before what is in it.
 * WU-2  A circle that was broken stays so (vice/volume/settle.ts, ST-2), and half of the peer's moves can make a
 *       circle which all of them do not: so a circle is made only of what the peer holds of all of it at this moment.
 */
import { isSameStatus, limits, type Fid, type VnodeStatus } from '../interface/index.js';
import { decide } from './decide.js';

export interface TwoReplicas {
  /** How an object is here, removed or not. */
  own(fid: Fid): VnodeStatus | undefined;
  /** How the peer holds objects; those that it does not know are left out. */
  ask(fids: readonly Fid[]): Promise<readonly VnodeStatus[]>;
}

/** Each look brings all of a circle up to date; more are for a peer whose tree changes while we look at it. */
const looksMost = 10;

/** `peers` and the directories of the peer that belong to them; what would change nothing here is left out. */
export async function withWayUp(
  peers: readonly VnodeStatus[],
  replicas: TwoReplicas,
): Promise<readonly VnodeStatus[]> {
  const way = new WayUp(replicas);
  for (const peer of peers) way.meet(peer);
  await way.complete();
  for (let looks = 1; looks < looksMost; looks += 1) {
    const circles = way.circles();
    if (circles.length === 0 || !(await way.askAgain(circles))) break;
    await way.complete();
  }
  return way.inOrder();
}

class WayUp {
  readonly #replicas: TwoReplicas;
  readonly #peers = new Map<Fid, VnodeStatus>();
  /** Objects as they shall be here. */
  readonly #next = new Map<Fid, VnodeStatus>();
  readonly #moved = new Set<Fid>();
  readonly #asked = new Set<Fid>();

  constructor(replicas: TwoReplicas) {
    this.#replicas = replicas;
  }

  meet(peer: VnodeStatus): void {
    const own = this.#replicas.own(peer.fid);
    const { next } = decide(own, peer);
    this.#peers.set(peer.fid, peer);
    if (next === undefined) this.#next.delete(peer.fid);
    else this.#next.set(peer.fid, next);
    const isMoved =
      peer.kind === 'directory' && own !== undefined && next !== undefined && own.parent !== next.parent;
    if (isMoved) this.#moved.add(peer.fid);
  }

  /** Asks for what belongs to what is known already, until there is nothing more. */
  async complete(): Promise<void> {
    for (let depth = 0; depth <= limits.depth; depth += 1) {
      const wanted = new Set(this.#missing());
      if (wanted.size === 0) return;
      for (const fid of wanted) this.#asked.add(fid);
      for (const peer of await this.#replicas.ask([...wanted])) this.meet(peer);
    }
  }

  /** Directories that would be their own ancestors. */
  circles(): readonly Fid[] {
    return [...this.#moved].filter((fid) => this.#upFrom(fid).includes(fid));
  }

  /** Whether the peer holds any of these, or of what is above them, in another way now. */
  async askAgain(fids: readonly Fid[]): Promise<boolean> {
    let isNew = false;
    const circle = new Set(fids.flatMap((fid) => [fid, ...this.#upFrom(fid)]));
    for (const peer of await this.#replicas.ask([...circle])) {
      const before = this.#peers.get(peer.fid);
      if (before === undefined || !isSameStatus(before, peer)) isNew = true;
      this.meet(peer);
    }
    return isNew;
  }

  /** WU-1. */
  inOrder(): readonly VnodeStatus[] {
    const ordered = new Set<Fid>();
    const add = (fid: Fid, depth: number): void => {
      const next = this.#next.get(fid);
      if (next === undefined || ordered.has(fid) || depth > limits.depth) return;
      if (next.parent !== null) add(next.parent, depth + 1);
      ordered.add(fid);
    };
    for (const fid of this.#next.keys()) add(fid, 0);
    return [...ordered].flatMap((fid) => this.#peers.get(fid) ?? []);
  }

  /** Directories in which something has its place, and which are not here. */
  *#missing(): Generator<Fid> {
    for (const { places } of this.#next.values()) {
      for (const { parent } of places) {
        if (!this.#isMet(parent) && this.#replicas.own(parent) === undefined) yield parent;
      }
    }
  }

  #isMet(fid: Fid): boolean {
    return this.#peers.has(fid) || this.#asked.has(fid);
  }

  /** What is above the object, as it shall be here; ends with the object itself if that is a circle. */
  #upFrom(fid: Fid): readonly Fid[] {
    const above: Fid[] = [];
    const parentOf = (of: Fid): Fid | null => (this.#next.get(of) ?? this.#replicas.own(of))?.parent ?? null;
    for (let next = parentOf(fid); next !== null && !above.includes(next); next = parentOf(next)) {
      above.push(next);
      if (next === fid) break;
    }
    return above;
  }
}
