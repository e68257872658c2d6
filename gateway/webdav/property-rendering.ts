/** Properties of an object as XML, kept while Venus returns the same status of it. */
import type { ObjectStatus } from '../../venus/interface.js';
import { settableNames, statusProperties, windowsAttributesName } from './live-properties.js';
import type { PropertyRequest } from './property-request.js';
import { emptyElement } from './xml-writer.js';

/** Two runs of property elements. */
export interface RenderedProperties {
  readonly found: string;
  readonly missing: string;
}

// Normal, directory, archive or none of them: what Windows assumes without being told.
const plainAttributes = />0{6}(?:00|10|20|80)</;

/** What `request` asks of `status`, apart from computed properties. */
export function renderProperties(
  request: PropertyRequest,
  status: ObjectStatus,
  name: string,
): RenderedProperties {
  let found = '';
  let missing = '';
  for (const property of request.names) {
    const xml = propertyXml(property, status, name);
    if (xml !== undefined) found += request.kind === 'names' ? emptyOf(property) : xml;
    else if (request.kind === 'some') missing += emptyOf(property);
  }
  if (request.kind === 'some') return { found, missing };
  for (const [property, xml] of Object.entries(status.properties)) {
    if (request.names.includes(property)) continue;
    if (statusProperties.has(property) && !settableNames.has(property)) continue;
    if (request.kind === 'names') found += emptyOf(property);
    else if (!request.forWindows || (property === windowsAttributesName && !plainAttributes.test(xml)))
      found += xml;
  }
  return { found, missing };
}

function propertyXml(property: string, status: ObjectStatus, name: string): string | undefined {
  const live = statusProperties.get(property);
  if (live === undefined || settableNames.has(property)) {
    return status.properties[property] ?? live?.(status, name);
  }
  return live(status, name);
}

/** An empty element for a name in Clark notation. */
export function emptyOf(property: string): string {
  const end = property.lastIndexOf('}');
  return emptyElement(property.slice(1, end), property.slice(end + 1));
}

interface Kept extends RenderedProperties {
  readonly request: PropertyRequest;
  readonly name: string;
}

const maxRequests = 32;
const maxKeyLength = 2048;
/** Characters in one of the two generations. */
const generationSize = 16 * 1024 * 1024;

/**
 * Remembers what was rendered last of each status, by the identity of the status: Venus returns the same
 * frozen one while the object is unchanged. Two generations bound it: a full one becomes the old one, and
 * the old one is forgotten.
 */
export class RenderedCache {
  readonly #requests = new Map<string, PropertyRequest>();
  #young = new WeakMap<ObjectStatus, Kept>();
  #old = new WeakMap<ObjectStatus, Kept>();
  #size = 0;

  /**
   * The one object that stands for all requests equal to `request`, so that equality is identity from here
   * on.
   */
  intern(request: PropertyRequest): PropertyRequest {
    const known = this.#requests.get(request.key);
    if (known !== undefined || request.key.length > maxKeyLength) return known ?? request;
    if (this.#requests.size >= maxRequests) this.#requests.clear();
    this.#requests.set(request.key, request);
    return request;
  }

  render(request: PropertyRequest, status: ObjectStatus, name: string): RenderedProperties {
    const kept = this.#young.get(status) ?? this.#old.get(status);
    if (kept !== undefined && kept.request === request && kept.name === name) return kept;
    const rendered = { ...renderProperties(request, status, name), request, name };
    const size = rendered.found.length + rendered.missing.length;
    if (this.#size + size > generationSize) {
      this.#old = this.#young;
      this.#young = new WeakMap();
      this.#size = 0;
    }
    this.#size += size;
    this.#young.set(status, rendered);
    return rendered;
  }
}
