/** `current-user-privilege-set` (RFC 3744 section 5.4): what the asking user may do, for clients that show it. Pure. */
import { emptyElement } from './xml-writer.js';

export const privilegesName = '{DAV:}current-user-privilege-set';

/** Rights (letters of rlidwka) that each privilege needs. */
const files: readonly (readonly [string, string])[] = [
  ['read', 'r'],
  ['write-content', 'w'],
  ['write-properties', 'w'],
];
const directories: readonly (readonly [string, string])[] = [
  ['read', 'l'],
  ['write', 'wid'],
  ['write-properties', 'w'],
  ['bind', 'i'],
  ['unbind', 'd'],
  ['write-acl', 'a'],
];

export function privilegeSet(isDirectory: boolean, rights: string): string {
  const granted = (isDirectory ? directories : files)
    .filter(([, needed]) => [...needed].every((letter) => rights.includes(letter)))
    .map(([name]) => `<D:privilege>${emptyElement('DAV:', name)}</D:privilege>`);
  return `<D:current-user-privilege-set>${granted.join('')}</D:current-user-privilege-set>`;
}
