/** Names that the one side has and the other cannot take. Pure. */
import { nameFault } from '../../../vice/interface/index.js';
import { codaName } from '../../webdav/coda-path.js';

/** At the root of an exported folder: the properties of all that is in it (property-file.ts). */
export const propertiesName = '.coda-properties.jsonl';
/** Files under way of an export that was killed (folder-sink.ts). */
export const partPattern = /^\.coda-export-[0-9a-f]{12}\.part$/;

/** Why the share cannot take `name`; undefined: it can. `isShare`: in the root of the share. */
export function shareNameFault(name: string, isShare: boolean): string | undefined {
  const fault = nameFault(name);
  if (fault !== undefined) return `the name ${fault}`;
  // As in gateway/webdav/path.ts: what no WebDAV client can name would be there, and out of reach.
  if (name.includes('\\')) return 'the name has a backslash';
  if (isShare && name === codaName) return `/${codaName} is the gateway's own`;
  if (partPattern.test(name)) return 'it was left behind by a `coda export` that was killed; delete it';
  return undefined;
}

/** What names must differ in, in one folder of the share: it finds a name in either Unicode normal form. */
export function shareForm(name: string): string {
  return name.normalize('NFC');
}

/** Why a folder of this system cannot take `name`; `isTop`: at the root of the exported tree. */
export function localNameFault(name: string, isTop: boolean, platform: NodeJS.Platform): string | undefined {
  const fault = nameFault(name);
  if (fault !== undefined) return `the name ${fault}`;
  if (isTop && name === propertiesName) return 'the name is kept for the properties of what is exported';
  if (partPattern.test(name)) return 'the name is kept for files under way';
  if (platform !== 'win32') return undefined;
  // Windows: a colon opens a stream of another file; the others are refused, or come back changed.
  if (/[<>:"|?*\\]/.test(name) || /[. ]$/.test(name)) return 'Windows takes no such name';
  return /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(name) ? 'Windows keeps this name' : undefined;
}

/** What names must differ in, in one folder of this system. */
export function localForm(name: string, platform: NodeJS.Platform): string {
  const folds = platform === 'win32' || platform === 'darwin';
  return folds ? name.normalize('NFC').toLowerCase() : name;
}
