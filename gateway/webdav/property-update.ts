/** What a PROPPATCH asks for and what may be done of it: decisions only (RFC 4918 sections 9.2 and 14.19). */
import type { ObjectStatus, PropertyChanges } from '../../venus/interface.js';
import { DavError } from './exchange.js';
import { parseHttpDate } from './http-date.js';
import { protectedNames } from './live-properties.js';
import { elementsOf, standalone, textOf, type Element } from './xml-reader.js';

const maxInstructions = 1000;
/** UTF-8 bytes of all dead properties of one object, names included: the same bound as the servers'. */
const maxBytes = 64 * 1024;
const microsoft = 'urn:schemas-microsoft-com:';
const win32Time = `{${microsoft}}Win32LastModifiedTime`;

/** One property to set (an element) or to remove. */
export interface Instruction {
  readonly name: string;
  readonly namespace: string;
  readonly set: Element | null;
}

/** What became of one property. */
export interface Verdict {
  readonly name: string;
  readonly status: 200 | 403 | 409 | 424 | 507;
  /** RFC 4918's name for what was not met. */
  readonly condition?: string;
}

export interface Decision {
  /** One for each property, in the order in which they were first named. */
  readonly verdicts: readonly Verdict[];
  /** To be done only if all verdicts are 200. */
  readonly changes: PropertyChanges;
  /** New time of the object, milliseconds since 1970. */
  readonly modified: number | undefined;
}

/** The instructions in document order. @throws DavError 400 */
export function instructionsOf(update: Element | undefined): readonly Instruction[] {
  if (update?.name !== '{DAV:}propertyupdate') {
    throw new DavError(400, 'The body of PROPPATCH is a DAV:propertyupdate');
  }
  const instructions: Instruction[] = [];
  for (const part of elementsOf(update)) {
    const sets = part.name === '{DAV:}set';
    if (!sets && part.name !== '{DAV:}remove') continue;
    const properties = elementsOf(part)
      .filter((child) => child.name === '{DAV:}prop')
      .flatMap(elementsOf);
    for (const property of properties) {
      const { name, namespace } = property;
      instructions.push({ name, namespace, set: sets ? property : null });
    }
  }
  if (instructions.length === 0) throw new DavError(400, 'The DAV:propertyupdate names no property');
  if (instructions.length > maxInstructions) {
    throw new DavError(400, `The DAV:propertyupdate names more than ${maxInstructions} properties`);
  }
  return instructions;
}

/**
 * Whether only Windows' own properties are touched. Office sends such an update without the token of its
 * own lock and takes a refusal for a failed save.
 */
export function isWin32Only(instructions: readonly Instruction[]): boolean {
  return instructions.every(({ namespace }) => namespace === microsoft);
}

/** All or nothing: a property that could be changed is 424 beside one that cannot. */
export function decide(instructions: readonly Instruction[], status: ObjectStatus): Decision {
  const refused = new Map<string, Verdict>();
  const dead = new Map<string, Element | null>();
  let modified: number | undefined;
  for (const { name, set } of instructions) {
    const time = set !== null && isTime(name) ? timeIn(set) : undefined;
    if (time !== undefined) modified = time;
    // Windows takes any refusal for a failed copy.
    else if (name === win32Time) continue;
    else if (set !== null && isTime(name)) refused.set(name, { name, status: 409 });
    else if (protectedNames.has(name)) refused.set(name, protectedVerdict(name));
    else dead.set(name, set);
  }
  const names = [...new Set(instructions.map(({ name }) => name))];
  const changes = refused.size === 0 ? changesOf(dead, status) : undefined;
  if (changes === undefined) {
    for (const [name, set] of refused.size === 0 ? dead : []) {
      if (set !== null) refused.set(name, { name, status: 507 });
    }
  }
  const otherwise = refused.size === 0 ? 200 : 424;
  const verdicts = names.map((name) => refused.get(name) ?? ({ name, status: otherwise } as const));
  return { verdicts, changes: changes ?? { set: {}, remove: [] }, modified };
}

function protectedVerdict(name: string): Verdict {
  return { name, status: 403, condition: 'cannot-modify-protected-property' };
}

/**
 * Properties that mean the object's time: Windows' and rclone's. They are not kept beside it, so the two
 * cannot disagree after the next PUT.
 */
function isTime(name: string): boolean {
  return name === win32Time || name === '{DAV:}lastmodified' || name === '{DAV:}getlastmodified';
}

/** An HTTP date or, as rclone writes it, seconds since 1970. */
function timeIn(element: Element): number | undefined {
  const text = textOf(element);
  if (/^\d{1,11}(?:\.\d{1,9})?$/.test(text)) return Math.round(Number(text) * 1000);
  return parseHttpDate(text);
}

/** Undefined when the object would have more properties than it may. */
function changesOf(
  dead: ReadonlyMap<string, Element | null>,
  status: ObjectStatus,
): PropertyChanges | undefined {
  const set: Record<string, string> = {};
  const remove: string[] = [];
  let bytes = 0;
  for (const [name, xml] of Object.entries(status.properties)) {
    if (!dead.has(name)) bytes += sizeOf(name, xml);
  }
  for (const [name, element] of dead) {
    if (element === null) {
      // Removing what is not there succeeds (RFC 4918 section 14.23) and is no change.
      if (Object.hasOwn(status.properties, name)) remove.push(name);
      continue;
    }
    const xml = standalone(element);
    set[name] = xml;
    bytes += sizeOf(name, xml);
    if (bytes > maxBytes) return undefined;
  }
  return { set, remove };
}

function sizeOf(name: string, xml: string): number {
  return Buffer.byteLength(name) + Buffer.byteLength(xml);
}
