/** What is to be done with an object that shall be copied to where perhaps something is. Pure. */

/** An object of either side, as far as it is compared. Times are milliseconds since 1970. */
export interface Compared {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  readonly length: number;
  readonly modified: number;
  /** Text of a symbolic link. */
  readonly target: string | null;
}

export interface CopyRules {
  /** What is there and differs is replaced; without it, it is listed. */
  readonly replace: boolean;
  /** Files of the same size and time are compared, too. */
  readonly verify: boolean;
}

/** `compare`: only the digests of both can tell whether it is `same`. */
export type Step = 'make' | 'replace' | 'same' | 'compare' | { readonly refused: string };

export function stepOf(source: Compared, target: Compared | undefined, rules: CopyRules): Step {
  if (target === undefined) return 'make';
  if (source.kind !== target.kind) {
    return { refused: `there is ${nouns[target.kind]} of this name; move it away, or copy to another place` };
  }
  if (source.kind === 'directory') return 'same';
  if (source.kind === 'symlink') return source.target === target.target ? 'same' : different(rules);
  if (source.length !== target.length) return different(rules);
  return rules.verify || source.modified !== target.modified ? 'compare' : 'same';
}

/** After `compare`: what the digests say. */
export function comparedStep(isSame: boolean, rules: CopyRules): Exclude<Step, 'compare'> {
  return isSame ? 'same' : (different(rules) as Exclude<Step, 'compare'>);
}

/**
 * What must be set so that an object has the properties `wanted`; those that it has beside them stay. `differing`: it
 * has these, with other values, and they may not be replaced.
 */
export function propertyStep(
  has: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
  { replace }: CopyRules,
): { readonly set: Readonly<Record<string, string>>; readonly differing: readonly string[] } {
  const set: Record<string, string> = {};
  const differing: string[] = [];
  for (const [name, value] of Object.entries(wanted)) {
    const own = Object.hasOwn(has, name) ? has[name] : undefined;
    if (own === value) continue;
    if (own === undefined || replace) set[name] = value;
    else differing.push(name);
  }
  return { set, differing };
}

const nouns: Readonly<Record<Compared['kind'], string>> = {
  file: 'a file',
  directory: 'a folder',
  symlink: 'a symbolic link',
  other: 'something else than a file or a folder',
};

function different({ replace }: CopyRules): Step {
  return replace ? 'replace' : { refused: 'it is there and differs; --replace puts this one in its place' };
}
