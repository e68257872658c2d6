/**
 * Access lists (Coda: coda-src/al/prs.h; reference: coda.md 9). Pure.
 *
 * A directory may have a list of its own; it then holds for the directory, the files in it, and every directory below
 * that has none. (Coda copies the parent's list into each new directory. Then a change of one list would leave what is
 * below as it was, and replicas that applied a `mkdir` before and after it would differ for ever.) Where nobody has set
 * any, everybody who may log in has all rights but `a`.
 *
 *   r  read files              i  put new names into it        k  lock files (for Coda's sake; not asked)
 *   l  list it                 d  take names out of it         a  set its list
 *   w  change files, their attributes and the directory's
 *
 * AC-1  What a user may do is what positive entries for him, his groups and System:AnyUser grant together, less what
 *       any negative entry for them denies.
 * AC-2  Of lists that were set apart all hold at once: the stricter does, until somebody decides (update/update).
 * AC-3  System:Administrators may always look at directories and set their lists, and nothing else. A gateway looks for
 *       itself under that name: nobody can log in under one with a colon (RFC 7617).
 */
import { Failure } from './failure.js';
import type { Fid } from './fid.js';
import type { AccessList, AccessVersion, Rights } from './access-list.js';
import { limits, type VnodeStatus } from './vnode.js';

/** Bits as Coda has them. */
export const right = {
  read: 1,
  write: 2,
  insert: 4,
  lookup: 8,
  delete: 16,
  lock: 32,
  administer: 64,
} as const;

export const allRights: Rights = 127;
export const anyUser = 'System:AnyUser';
export const administrators = 'System:Administrators';

/** In the order in which people write them. */
const letters: readonly (readonly [string, Rights])[] = [
  ['r', right.read],
  ['l', right.lookup],
  ['i', right.insert],
  ['d', right.delete],
  ['w', right.write],
  ['k', right.lock],
  ['a', right.administer],
];

export function rightsText(rights: Rights): string {
  return letters.map(([letter, bit]) => ((rights & bit) === 0 ? '' : letter)).join('');
}

const words: ReadonlyMap<string, Rights> = new Map([
  ['none', 0],
  ['read', right.read | right.lookup],
  ['write', allRights & ~right.administer],
  ['all', allRights],
]);

/** What `text` (letters of `rlidwka`, in any order, or the words of cfs) means; undefined: nothing. */
export function parseRights(text: string): Rights | undefined {
  const word = words.get(text);
  if (word !== undefined) return word;
  let rights = 0;
  for (const letter of text) {
    const bit = letters.find(([name]) => name === letter)?.[1];
    if (bit === undefined) return undefined;
    rights |= bit;
  }
  return text === '' ? undefined : rights;
}

/** Who asks. */
export interface Identity {
  readonly user: string;
  /** All that he is in, transitively, System:AnyUser included. */
  readonly groups: ReadonlySet<string>;
}

/** Name -> users and groups. */
export type Groups = Readonly<Record<string, readonly string[]>>;

const noGroups: Groups = {};
/** A realm document, and so its groups, never change; users whose membership is remembered are bounded. */
const identities = new WeakMap<Groups, Map<string, Identity>>();
const identitiesMost = 10_000;

/** `user` as a member of `groups`. A group that contains itself is no trouble. */
export function identityOf(user: string, groups: Groups = noGroups): Identity {
  let known = identities.get(groups);
  if (known === undefined || known.size > identitiesMost) identities.set(groups, (known = new Map()));
  let identity = known.get(user);
  if (identity === undefined) known.set(user, (identity = resolved(user, groups)));
  return identity;
}

function resolved(user: string, groups: Groups): Identity {
  const found = new Set<string>([anyUser]);
  const reached = [user, anyUser];
  for (let member = reached.pop(); member !== undefined; member = reached.pop()) {
    for (const [group, members] of Object.entries(groups)) {
      if (found.has(group) || !members.includes(member)) continue;
      found.add(group);
      reached.push(group);
    }
  }
  return { user, groups: found };
}

/** AC-1 for one list. */
export function grantedBy({ positive, negative }: AccessList, { user, groups }: Identity): Rights {
  const sum = (entries: Readonly<Record<string, Rights>>): Rights => {
    let rights = 0;
    for (const [who, granted] of Object.entries(entries))
      if (who === user || groups.has(who)) rights |= granted;
    return rights;
  };
  return sum(positive) & ~sum(negative);
}

/** An object as far as it is known here, also one that was removed. */
export type LookUp = (fid: Fid) => Pick<VnodeStatus, 'fid' | 'kind' | 'parent' | 'access'> | undefined;

/** What a directory above nobody has set a list for grants. */
const usual: Rights = allRights & ~right.administer;

/** What `identity` may do in `directory`; undefined: a directory above it is not known here. */
export function rightsIn(look: LookUp, directory: Fid, identity: Identity): Rights | undefined {
  const granted = grantedIn(look, directory, identity, 0);
  const isAdministrator = identity.user === administrators || identity.groups.has(administrators);
  return granted === undefined || !isAdministrator ? granted : granted | right.lookup | right.administer;
}

function grantedIn(look: LookUp, directory: Fid, identity: Identity, depth: number): Rights | undefined {
  const status = look(directory);
  if (status === undefined || depth > limits.depth) return undefined;
  const lists = status.access ?? [];
  let granted = allRights;
  let inherits = lists.length === 0;
  for (const { list } of lists) {
    if (list === null) inherits = true;
    else granted &= grantedBy(list, identity);
  }
  if (!inherits) return granted;
  if (status.parent === null) return granted & usual;
  const inherited = grantedIn(look, status.parent, identity, depth + 1);
  return inherited === undefined ? undefined : granted & inherited;
}

/** The directories whose lists decide in `directory`, nearest first: more than one only where AC-2 makes it so. */
export function decidingIn(look: LookUp, directory: Fid): readonly Fid[] {
  const found: Fid[] = [];
  let at: Fid | null = directory;
  for (let depth = 0; at !== null && depth <= limits.depth; depth += 1) {
    const status = look(at);
    if (status === undefined) return found;
    const lists = status.access ?? [];
    if (lists.some(({ list }) => list !== null)) found.push(at);
    if (lists.length > 0 && lists.every(({ list }) => list !== null)) return found;
    at = status.parent;
  }
  return found;
}

/** The lists that decide in `directory`, each with its directory, nearest first. */
export function listsIn(
  look: LookUp,
  directory: Fid,
): readonly { readonly directory: Fid; readonly list: AccessList | null }[] {
  return decidingIn(look, directory).flatMap((at) => {
    return (look(at)?.access ?? []).map(({ list }) => ({ directory: at, list }));
  });
}

/** The directory whose list is about an object: itself, or of anything else the one where it is. */
export function governedIn({ fid, kind, parent }: Pick<VnodeStatus, 'fid' | 'kind' | 'parent'>): Fid {
  return kind === 'directory' ? fid : (parent ?? fid);
}

/** The lists of one directory that differ: more than one is for a person to decide. */
export function differingLists({ access = [] }: Pick<VnodeStatus, 'access'>): readonly AccessVersion[] {
  const seen = new Set<string>();
  return access.filter(({ list }) => {
    const text = listText(list);
    const isNew = !seen.has(text);
    seen.add(text);
    return isNew;
  });
}

function listText(list: AccessList | null): string {
  if (list === null) return '';
  const sorted = (entries: Readonly<Record<string, Rights>>): unknown => Object.entries(entries).sort();
  return JSON.stringify([sorted(list.positive), sorted(list.negative)]);
}

/** @throws Failure invalid, too-large when `list` cannot be one */
export function mustBeList({ positive, negative }: AccessList, fid: Fid): void {
  const entries = [...Object.entries(positive), ...Object.entries(negative)];
  if (entries.length > limits.accessEntries) {
    const message = `an access list has at most ${limits.accessEntries} entries`;
    throw new Failure('too-large', 'access', message, { fid });
  }
  for (const [who, rights] of entries) {
    const isRights = Number.isInteger(rights) && rights >= 0 && rights <= allRights;
    if (who !== '' && who.length <= 128 && isRights) continue;
    throw new Failure('invalid', 'access', 'an entry of the access list makes no sense', { fid });
  }
}
