/**
 * What hostile clients send at length, given to the parsers of the door and to a door of a Venus in memory, in a
 * process of its own with a small heap (large-inputs.test.ts): a parser that keeps all that comes ends it.
 *
 * `parsers`: prints how much work each input was, and the memory that is left taken. `door FOLDER`: prints its URL, and
 * for each line on stdin the memory.
 */
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { checkConditions } from '../../gateway/webdav/conditional.js';
import { ownRawPath } from '../../gateway/webdav/destination.js';
import { DavError, type Share } from '../../gateway/webdav/exchange.js';
import { startWebdav } from '../../gateway/webdav/host.js';
import { parseIf } from '../../gateway/webdav/if-header.js';
import { createLocks } from '../../gateway/webdav/lock-table.js';
import { parsePath } from '../../gateway/webdav/path.js';
import { selectRange } from '../../gateway/webdav/range.js';
import { elementsOf, readXml, type Element } from '../../gateway/webdav/xml-reader.js';
import { openUsers } from '../../gateway/access/users.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import { silentLog } from '../../vice/seam/log.js';
import { scryptPasswords } from '../../vice/seam/real/scrypt-passwords.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';

export interface Memory {
  /** Bytes of the heap that are in use when all that can be is collected. */
  readonly heap: number;
  /** Bytes outside of it: buffers. */
  readonly external: number;
  /** The most that the process has ever had. */
  readonly most: number;
}

/** What an input has come to. `status`: of the refusal; null: it was read. */
export interface Outcome {
  readonly name: string;
  readonly status: number | null;
  /** Bytes that were taken from the body, elements that were made, ranges that will be sent. */
  readonly work: number;
}

export interface ParserReport {
  readonly before: Memory;
  readonly after: Memory;
  readonly outcomes: readonly Outcome[];
}

const kib = 1024;
const mib = kib * kib;
/** Far more than any parser may take. */
const endless = 16 * mib;

function memory(): Memory {
  globalThis.gc?.();
  const { heapUsed: heap, external } = process.memoryUsage();
  return { heap, external, most: process.resourceUsage().maxRSS * kib };
}

/** `head`, then `piece` again and again; `taken` is what its reader has been given. */
function body(head: string, piece: string, step = 16 * kib): { stream: Readable; taken: () => number } {
  const rest = Buffer.from(piece.repeat(Math.max(1, Math.ceil(step / piece.length))));
  let taken = 0;
  const stream = new Readable({
    highWaterMark: 16 * kib,
    read() {
      const chunk = taken === 0 && head !== '' ? Buffer.from(head) : rest;
      taken += chunk.length;
      this.push(taken > endless ? null : chunk);
    },
  });
  return { stream, taken: () => taken };
}

const bombs: readonly (readonly [name: string, head: string, piece: string])[] = [
  ['nested elements', '', '<a>'],
  ['nested elements with namespaces of their own', '', '<a xmlns="urn:x" xmlns:b="urn:y">'],
  ['siblings', '<a>', '<b/>'],
  ['attributes', '<a ', 'b="" '],
  ['namespaces', '<a ', 'xmlns:b="urn:x" '],
  ['an attribute without an end', '<a b="', 'x'],
  ['a name without an end', '<', 'a'],
  ['text', '<a>', 'x'],
  ['text in lines', '<a>', 'x\r\n'],
  ['character references', '<a>', '&#65;'],
  ['a reference without an end', '<a>&', 'x'],
  ['entities that nobody declared', '<a>', '&b;'],
  ['a comment', '<a><!--', ' -'],
  ['comments', '<a>', '<!---->'],
  ['a CDATA section', '<a><![CDATA[', 'x]'],
  ['CDATA sections', '<a>', '<![CDATA[x]]>'],
  ['a processing instruction', '<a><?b ', '?'],
  ['processing instructions', '<a>', '<?b?>'],
  ['a document type', '<!DOCTYPE a [', '<!ENTITY b "&c;&c;&c;&c;">'],
  ['an entity of itself', '<!DOCTYPE a [<!ENTITY b "&b;&b;">]><a>', '&b;'],
  ['white space before anything', '', ' '],
  ['zeros', '', '\u0000'],
  ['one element after another', '', '<a/>'],
];

function elementsIn(element: Element): number {
  return elementsOf(element).reduce((sum, child) => sum + elementsIn(child), 1);
}

async function outcomeOf(
  name: string,
  parse: () => unknown,
  work: (value: unknown) => number,
): Promise<Outcome> {
  try {
    return { name, status: null, work: work(await parse()) };
  } catch (error) {
    if (!(error instanceof DavError)) throw error;
    return { name, status: error.status, work: work(undefined) };
  }
}

async function bodies(): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [name, head, piece] of bombs) {
    for (const step of [100, 16 * kib, endless / 4]) {
      const { stream, taken } = body(head, piece, step);
      outcomes.push(await outcomeOf(`${name}, ${step} at a time`, () => readXml(stream), taken));
      stream.destroy();
      // Streams are let go of between turns of the event loop only.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  // Within the limits: as much as there may be, many times.
  for (let time = 0; time < 40; time += 1) {
    const text = `<a>${'<b c="d">x</b>'.repeat(3_000)}</a>`;
    const count = (root: unknown): number => (root === undefined ? 0 : elementsIn(root as Element));
    const outcome = await outcomeOf(
      'as much as may be',
      () => readXml(Readable.from([Buffer.from(text)])),
      count,
    );
    if (time === 0) outcomes.push(outcome);
  }
  return outcomes;
}

const version = { etag: '"v-2"', modified: 0, length: 1_000 };
const share = { prefix: '', isOwnHost: (host: string) => host === 'own' } as unknown as Share;
const lengthOf = (list: unknown): number => (Array.isArray(list) ? list.length : 0);

/** What each parser of a header makes of a text; work: the things that come of it. */
const parsers: readonly (readonly [
  name: string,
  parse: (text: string) => unknown,
  head: string,
  pieces: string[],
])[] = [
  ['If', parseIf, '', ['(<a>)', '(', '<a> ', '([""])', '(Not <a>', '(Not Not ', '<', '["', ' ']],
  ['path', (text) => parsePath(text).path, '/', ['a/', '/', '%41', '%', '../', '%2e%2e/', 'é', '\\']],
  [
    'Destination',
    (text) => parsePath(ownRawPath(share, text)).path,
    'http://own/',
    ['a/', '@', ':', '?', '[', '%41/'],
  ],
  ['Destination, its host', (text) => ownRawPath(share, text), 'http://', ['a', '@', 'a:', '[:', '.']],
];

function rangesOf(text: string): unknown {
  const selection = selectRange({ range: text }, version);
  return selection.kind === 'ranges' ? selection.ranges : [];
}

async function headers(): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const all: typeof parsers = [
    ...parsers,
    ['Range', rangesOf, 'bytes=', ['0-,', '0-0,2-2,', ',', '-', '-1,', '9'.repeat(400), ' ', '5-2,']],
    [
      'If-Match',
      (text) => [checkConditions({ 'if-match': text }, 'PUT', { exists: true, ...version })],
      '',
      ['"', '"a",', 'W/', '*'],
    ],
  ];
  for (const [name, parse, head, pieces] of all) {
    for (const piece of pieces) {
      // What node lets through, again and again; and once far more.
      for (const length of [...Array.from({ length: 10 }, () => 16 * kib), mib]) {
        const text = head + piece.repeat(Math.ceil(length / piece.length));
        const outcome = await outcomeOf(
          `${name}: ${piece.slice(0, 20)} to ${length}`,
          () => parse(text),
          lengthOf,
        );
        if (name === 'Range' || length === mib) outcomes.push(outcome);
      }
    }
  }
  return outcomes;
}

async function runParsers(): Promise<void> {
  const before = memory();
  const outcomes = [...(await bodies()), ...(await headers())];
  const report: ParserReport = { before, after: memory(), outcomes };
  process.stdout.write(JSON.stringify(report));
}

export const door = {
  user: 'alice',
  password: 'sesame',
  file: 'large',
  fileBytes: 256 * kib,
  folder: 'many',
  files: 300,
};

async function runDoor(folder: string): Promise<void> {
  const clock = systemClock();
  const random = seededRandom(1);
  const venus = new MemoryVenus({});
  const { object: root } = await venus.lookup({ user: door.user }, []);
  if (root === null) throw new Error('no root');
  const caller = { user: door.user };
  const writer = await venus.write(caller);
  await writer.write(Buffer.alloc(door.fileBytes, 'x'));
  await writer.close({ parent: root.fid, name: door.file });
  const made = await venus.makeDirectory(caller, root.fid, door.folder);
  for (let at = 0; at < door.files; at += 1) await venus.makeDirectory(caller, made.fid, `f${at}`);
  const users = await openUsers(join(folder, 'users'), scryptPasswords({ ln: 10, r: 8, p: 1 }));
  await users.add(door.user, door.password);
  const locks = createLocks({ venus, clock, random, log: silentLog });
  const share = { venus, locks, clock, random, log: silentLog, prefix: '', isOwnHost: () => false };
  const listen = { host: '127.0.0.1', port: 0 };
  const webdav = await startWebdav({ listen, share, users, log: silentLog, clock });
  process.stdout.write(`${webdav.url}\n`);
  for await (const line of createInterface(process.stdin)) {
    if (line === 'memory') process.stdout.write(`${JSON.stringify(memory())}\n`);
  }
  await webdav.close();
}

/** Not when it is imported for its types. */
const [, program = '', what, folder = ''] = process.argv;
if (/large-inputs\.js$/.test(program)) await (what === 'door' ? runDoor(folder) : runParsers());
