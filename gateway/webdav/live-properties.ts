/**
 * Live properties (RFC 4918 section 15, RFC 4331): what the gateway itself says about an object.
 *
 * Those of `statusProperties` depend on nothing but an object's status and name, so their XML can be kept
 * as long as Venus returns the same status. The others change with time and locks.
 */
import type { ObjectStatus } from '../../venus/interface.js';
import { conflictNames, conflictProperties, isoTime } from './conflict-properties.js';
import { etagOf } from './etag.js';
import { formatHttpDate } from './http-date.js';
import { mediaTypeOf } from './media-type.js';
import { currentUserName, ownerName, principalNames, principalOf } from './principals.js';
import { privilegesName } from './privileges.js';
import { resourceIdElement, resourceIdName } from './resource-id.js';
import { escapeXml } from './xml-writer.js';

/** XML of a property, or undefined if the object has none of that name. */
export type PropertyXml = (status: ObjectStatus, name: string) => string | undefined;

const supportedLock =
  '<D:supportedlock>' +
  '<D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>' +
  '<D:lockentry><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>' +
  '</D:supportedlock>';

/** By name in Clark notation. */
export const statusProperties: ReadonlyMap<string, PropertyXml> = new Map<string, PropertyXml>([
  ['{DAV:}creationdate', ({ created }) => `<D:creationdate>${formatRfc3339(created)}</D:creationdate>`],
  ['{DAV:}displayname', (_, name) => `<D:displayname>${escapeXml(name)}</D:displayname>`],
  ['{DAV:}getcontentlength', contentLength],
  ['{DAV:}getcontenttype', contentType],
  ['{DAV:}getetag', entityTag],
  ['{DAV:}getlastmodified', lastModified],
  ['{DAV:}resourcetype', resourceType],
  [resourceIdName, resourceIdElement],
  ['{DAV:}supportedlock', () => supportedLock],
  ['{urn:schemas-microsoft-com:}Win32LastModifiedTime', win32LastModified],
  ...conflictProperties,
]);

/** Those that PROPFIND computes anew each time. */
export const lockDiscoveryName = '{DAV:}lockdiscovery';
export const quotaNames = ['{DAV:}quota-available-bytes', '{DAV:}quota-used-bytes'] as const;

/**
 * What allprop tells beside dead properties. displayname is left out: it repeats the href, and Windows
 * reads at most 1,000,000 bytes of a listing.
 */
export const allpropNames: readonly string[] = [
  '{DAV:}resourcetype',
  '{DAV:}getcontentlength',
  '{DAV:}getlastmodified',
  '{DAV:}creationdate',
  '{DAV:}getetag',
  '{DAV:}getcontenttype',
  '{DAV:}supportedlock',
  lockDiscoveryName,
];

/** What allprop tells Windows, for the same reason: enough for its directory entries. */
export const windowsAllpropNames = allpropNames.slice(0, 4);
/** The only dead property that a Windows listing needs. */
export const windowsAttributesName = '{urn:schemas-microsoft-com:}Win32FileAttributes';

/**
 * What propname lists of an object beside its dead properties. Those of conflicts are told by name only: a listing
 * stays small, and a sibling is known by its name.
 */
export const propnameNames: readonly string[] = [
  ...allpropNames,
  '{DAV:}displayname',
  ...quotaNames,
  privilegesName,
  resourceIdName,
  ownerName,
  currentUserName,
  ...conflictNames,
];

/**
 * Properties in DAV: that PROPPATCH may set although RFC 4918 defines them: it asks that these two be not
 * protected, and a value that was set is kept as any dead property and shown instead of the live one.
 */
export const settableNames: ReadonlySet<string> = new Set(['{DAV:}displayname', '{DAV:}getcontentlanguage']);

/** Live properties that clients cannot set. */
export const protectedNames: ReadonlySet<string> = new Set(
  [...propnameNames, ...principalNames, '{DAV:}getlastmodified'].filter((name) => !settableNames.has(name)),
);

function contentLength({ kind, length }: ObjectStatus): string | undefined {
  return kind === 'directory' ? undefined : `<D:getcontentlength>${length}</D:getcontentlength>`;
}

function contentType({ kind }: ObjectStatus, name: string): string | undefined {
  return kind === 'directory'
    ? undefined
    : `<D:getcontenttype>${escapeXml(mediaTypeOf(name))}</D:getcontenttype>`;
}

function entityTag(status: ObjectStatus): string | undefined {
  const etag = etagOf(status);
  return etag === null ? undefined : `<D:getetag>${escapeXml(etag)}</D:getetag>`;
}

/** Without any attribute: Office 2003 cannot read it otherwise. */
function lastModified({ modified }: ObjectStatus): string {
  return `<D:getlastmodified>${formatHttpDate(modified)}</D:getlastmodified>`;
}

function resourceType({ fid, kind }: ObjectStatus): string {
  if (principalOf(fid) !== undefined) return '<D:resourcetype><D:principal/></D:resourcetype>';
  return kind === 'directory' ? '<D:resourcetype><D:collection/></D:resourcetype>' : '<D:resourcetype/>';
}

/** Set by Windows, kept as the time of the object. */
function win32LastModified({ modified }: ObjectStatus): string {
  const name = 'Win32LastModifiedTime';
  return `<Z:${name} xmlns:Z="urn:schemas-microsoft-com:">${formatHttpDate(modified)}</Z:${name}>`;
}

/** `time` (milliseconds since 1970) in whole seconds. */
function formatRfc3339(time: number): string {
  return `${isoTime(time).slice(0, 19)}Z`;
}
