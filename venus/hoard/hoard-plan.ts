/**
 * The plan of a walk: from what people want, and what is known of the tree, to objects with priorities (Kistler and
 * Satyanarayanan 1992, section 4.3: meta-expansion). Pure.
 */
import type { Fid } from '../../vice/interface/index.js';

/** How much below an object is meant. */
export type Extent = 'object' | 'children' | 'descendants';

export interface Wanted {
  readonly user: string;
  readonly fid: Fid;
  readonly priority: number;
  readonly extent: Extent;
}

/** What is known of an object. */
export interface Known {
  /** The user may not see it, or, of a directory, what is in it. */
  readonly isDenied: boolean;
  /** Of a directory, what is in it; null: it must be listed first. Of anything else empty. */
  readonly children: Iterable<Fid> | null;
}

/** Undefined: nothing is known of it. */
export type Look = (fid: Fid, user: string) => Known | undefined;

export interface Plan {
  /** The highest of all who want it. */
  readonly priorities: ReadonlyMap<Fid, number>;
  /** Directories whose members are wanted and not known, those of the highest priority first. */
  readonly unlisted: readonly Fid[];
  /** What a user wants and may not read. */
  readonly denied: readonly { readonly user: string; readonly fid: Fid; readonly priority: number }[];
}

const extents: readonly Extent[] = ['object', 'children', 'descendants'];
/** Objects planned in one turn. */
const turnObjects = 1000;

/** Yields from time to time, so that others have the event loop meanwhile. */
export function* planning(wanted: readonly Wanted[], look: Look): Generator<void, Plan> {
  const priorities = new Map<Fid, number>();
  // By user: what one may not look at hides nothing from another.
  const reachedBy = new Map<string, Map<Fid, number>>();
  const unlisted = new Set<Fid>();
  const denied: { user: string; fid: Fid; priority: number }[] = [];
  let turn = 0;
  // The first to reach an object is the one of the highest priority; later ones may reach further below it.
  for (const first of [...wanted].sort((a, b) => b.priority - a.priority)) {
    const reached = reachedBy.get(first.user) ?? new Map<Fid, number>();
    reachedBy.set(first.user, reached);
    const left = [{ fid: first.fid, extent: first.extent }];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      if ((turn += 1) % turnObjects === 0) yield;
      const { fid, extent } = next;
      const depth = extents.indexOf(extent);
      if ((reached.get(fid) ?? -1) >= depth) continue;
      const known = look(fid, first.user);
      if (known?.isDenied === true) {
        denied.push({ user: first.user, fid, priority: first.priority });
        continue;
      }
      reached.set(fid, depth);
      if (!priorities.has(fid)) priorities.set(fid, first.priority);
      if (extent === 'object' || known === undefined) continue;
      if (known.children === null) unlisted.add(fid);
      else for (const child of known.children) left.push({ fid: child, extent: below(extent) });
    }
  }
  return { priorities, unlisted: [...unlisted], denied };
}

/** How much is meant below a member of what `extent` is meant of. */
function below(extent: Extent): Extent {
  return extent === 'descendants' ? 'descendants' : 'object';
}
