/** Dead properties that come from elsewhere than a PROPPATCH: each a whole XML element, as PROPFIND will send it. */
import { Failure } from '../../venus/interface.js';
import { DavError } from './exchange.js';
import { protectedNames } from './live-properties.js';
import { parseXml, standalone } from './xml-reader.js';

/** UTF-8 bytes of all dead properties of one object, names included: the same bound as the servers'. */
const maxBytes = 64 * 1024;

/**
 * `properties`, by name in Clark notation, each written anew as XML that stands alone.
 * @throws Failure invalid (no XML, of another name, a live property), too-large
 */
export function checkedProperties(
  properties: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const entries = Object.entries(properties);
  const bytes = entries.reduce(
    (sum, [name, xml]) => sum + Buffer.byteLength(name) + Buffer.byteLength(xml),
    0,
  );
  if (bytes > maxBytes) throw new Failure('too-large', operation, `the properties have ${bytes} bytes`);
  return Object.fromEntries(entries.map(([name, xml]) => [name, checked(name, xml)]));
}

const operation = 'gateway.properties';

function checked(name: string, xml: string): string {
  if (protectedNames.has(name)) throw invalid(`${name} is not set by anybody`);
  try {
    const element = parseXml(xml);
    if (element.name === name) return standalone(element);
  } catch (error) {
    if (!(error instanceof DavError)) throw error;
    throw invalid(`${name}: ${error.message}`);
  }
  throw invalid(`${name} is the name of another property`);
}

function invalid(why: string): Failure {
  return new Failure('invalid', operation, `a property cannot be kept: ${why}`);
}
