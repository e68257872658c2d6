/**
 * Principals (RFC 3744 section 2, RFC 5397): each person has a URL, `/.coda/people/NAME`, for clients that show whose
 * an object is. Whether there is such a user nobody is told: every name has one. Pure.
 */
import type { Fid } from '../../venus/interface.js';
import { codaName, peopleName } from './coda-path.js';
import { hrefOf } from './href.js';
import { isVirtual, pathOf } from './virtual-object.js';
import { escapeXml } from './xml-writer.js';

export const ownerName = '{DAV:}owner';
export const currentUserName = '{DAV:}current-user-principal';
/** Of a principal alone (RFC 3744 section 4.2). */
export const principalUrlName = '{DAV:}principal-URL';
export const principalNames = [ownerName, currentUserName, principalUrlName] as const;
export type PrincipalName = (typeof principalNames)[number];

export function isPrincipalName(name: string): name is PrincipalName {
  return (principalNames as readonly string[]).includes(name);
}

/** Whom a property of principals names; undefined: the object has no such property; '': nobody. */
export function namedPerson(
  property: PrincipalName,
  { fid, owner }: { readonly fid: Fid; readonly owner: string },
  asking: string,
): string | undefined {
  switch (property) {
    case ownerName:
      return owner;
    case currentUserName:
      return asking;
    case principalUrlName:
      return principalOf(fid);
  }
}

/** `property` as XML; `prefix` as in hrefOf. */
export function principalElement(property: PrincipalName, person: string, prefix: string): string {
  const local = property.slice('{DAV:}'.length);
  if (person === '') return `<D:${local}/>`;
  const href = hrefOf(prefix, [codaName, peopleName, person], false);
  return `<D:${local}><D:href>${escapeXml(href)}</D:href></D:${local}>`;
}

/** The person whose URL leads to the virtual object `fid`; undefined: it is no principal. */
export function principalOf(fid: Fid): string | undefined {
  if (!isVirtual(fid)) return undefined;
  const [, folder, person, more] = pathOf(fid);
  return folder === peopleName && more === undefined ? person : undefined;
}
