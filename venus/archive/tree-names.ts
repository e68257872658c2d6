/** Names under tree/ for the files of an archive: none leads outside, none is given twice. Pure. */
import { nameFault } from '../../vice/interface/index.js';
import { namesOf, parts } from './format.js';

const unnamed = 'unnamed';

export class TreeNames {
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();
  #next = 1;

  /** For a file or link at `path`; where that cannot be, one under tree/unnamed that ends in `name`. */
  file(path: string | null, name: string): string {
    const own = path === null ? undefined : this.#place(path);
    if (own === undefined) return this.#fallback(name);
    this.#take(own);
    return parts.tree + own.join('/');
  }

  /** For a folder at `path`; undefined: it gets none. */
  folder(path: string | null): string | undefined {
    const own = path === null ? undefined : safeNames(path);
    if (own === undefined || this.#isBelowFile(own) || this.#files.has(own.join('/'))) return undefined;
    this.#take([...own, '']);
    return `${parts.tree}${own.join('/')}/`;
  }

  #place(path: string): readonly string[] | undefined {
    const names = safeNames(path);
    if (names === undefined || this.#isBelowFile(names)) return undefined;
    const joined = names.join('/');
    return this.#files.has(joined) || this.#folders.has(joined) ? undefined : names;
  }

  #isBelowFile(names: readonly string[]): boolean {
    return names.some((_, index) => index > 0 && this.#files.has(names.slice(0, index).join('/')));
  }

  #take(names: readonly string[]): void {
    names.forEach((_, index) => index > 0 && this.#folders.add(names.slice(0, index).join('/')));
    if (names.at(-1) !== '') this.#files.add(names.join('/'));
  }

  #fallback(name: string): string {
    const number = this.#next;
    this.#next += 1;
    const safe = safeName(name) ? name : name.replaceAll(/[^\p{L}\p{N} ._()-]/gu, '_').slice(0, 60);
    // The number comes first: even `..` is a plain name behind it.
    return `${parts.tree}${unnamed}/${number}-${safe}`;
  }
}

/** Names as every program that unpacks takes them; not the folder that is ours. */
function safeNames(path: string): readonly string[] | undefined {
  const names = namesOf(path);
  if (names === undefined || names.length === 0 || !names.every(safeName)) return undefined;
  return names[0]?.toLowerCase() === unnamed ? undefined : names;
}

/** On Windows a backslash parts names, and a colon names a drive. */
function safeName(name: string): boolean {
  return nameFault(name) === undefined && !/[\\:]/.test(name);
}

/** Whether a symbolic link at `place` (below tree/) with this text leads to somewhere below tree/. */
export function staysInside(place: string, target: string): boolean {
  if (target === '' || target.startsWith('/') || /[\\:\u0000]/.test(target)) return false;
  // Of tree/a/b, what is relative to tree/a.
  let depth = place.split('/').length - 2;
  for (const name of target.split('/')) {
    if (name === '' || name === '.') continue;
    depth += name === '..' ? -1 : 1;
    if (depth < 0) return false;
  }
  return true;
}
