/** What a PROPFIND asks for, from its body (RFC 4918 sections 9.1 and 14.20). */
import { DavError } from './exchange.js';
import {
  allpropNames,
  lockDiscoveryName,
  propnameNames,
  quotaNames,
  windowsAllpropNames,
} from './live-properties.js';
import { principalNames } from './principals.js';
import { privilegesName } from './privileges.js';
import { childOf, elementsOf, type Element } from './xml-reader.js';

/** Each is answered for each member of a folder, found or not. */
const maxNames = 256;

export interface PropertyRequest {
  /** `all`: also dead properties; `names`: only what there is, without values. */
  readonly kind: 'some' | 'all' | 'names';
  /** Clark notation, those in `computed` left out. */
  readonly names: readonly string[];
  /** Those whose answers are not a matter of the object's status alone. */
  readonly computed: readonly string[];
  /** Whether allprop is to be short, see live-properties.ts. */
  readonly forWindows: boolean;
  /** Equal for equal requests. */
  readonly key: string;
}

const computedNames: ReadonlySet<string> = new Set([
  lockDiscoveryName,
  ...quotaNames,
  privilegesName,
  ...principalNames,
]);

/** @throws DavError 400 */
export function propertyRequest(body: Element | undefined, forWindows: boolean): PropertyRequest {
  const everything = forWindows ? windowsAllpropNames : allpropNames;
  if (body === undefined) return request('all', everything, forWindows);
  if (body.name !== '{DAV:}propfind') throw new DavError(400, 'The body of PROPFIND is a DAV:propfind');
  const prop = childOf(body, '{DAV:}prop');
  const kinds = elementsOf(body).filter((child) => /^\{DAV:\}(?:prop|allprop|propname)$/.test(child.name));
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    throw new DavError(400, 'A DAV:propfind has one of DAV:prop, DAV:allprop and DAV:propname');
  }
  if (prop !== undefined) return request('some', namesIn(prop), forWindows);
  if (kind.name === '{DAV:}propname') return request('names', propnameNames, forWindows);
  const include = childOf(body, '{DAV:}include');
  const asked = include === undefined ? everything : [...everything, ...namesIn(include)];
  return request('all', asked, forWindows);
}

function namesIn(parent: Element): readonly string[] {
  return elementsOf(parent).map((element) => element.name);
}

function request(
  kind: PropertyRequest['kind'],
  asked: readonly string[],
  forWindows: boolean,
): PropertyRequest {
  const distinct = [...new Set(asked)];
  if (distinct.length > maxNames) throw new DavError(400, `More than ${maxNames} properties were asked for`);
  const names = distinct.filter((name) => !computedNames.has(name));
  const computed = distinct.filter((name) => computedNames.has(name));
  return { kind, names, computed, forWindows, key: [kind, forWindows, ...distinct].join('\n') };
}
