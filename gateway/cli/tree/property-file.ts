/**
 * The file `.coda-properties.jsonl` at the root of an exported folder: the dead properties (WebDAV) of what is in it,
 * which no file system keeps. One line for each object that has some:
 *
 *   {"path": "docs/plan.txt", "properties": {"{http://example.org/}status": "<status xmlns=...>final</status>"}}
 *
 * `path` is from the root of the folder, "" is the folder itself; each property stands under its name in Clark
 * notation, as a whole XML element. `coda import` of the folder gives the properties back; it does not copy the file.
 */
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { messageOf, systemCode } from '../../config/operator-error.js';

export type Properties = Readonly<Record<string, string>>;

const lineSchema = z.object({ path: z.string(), properties: z.record(z.string(), z.string()) });
/** Far more than an object may have (64 KiB, and what JSON makes of it). */
const lineCharacters = 1024 * 1024;
/** All of it is kept in memory. */
const fileBytes = 256 * 1024 * 1024;

/** The file as it is written: under another name until it is whole. */
export class PropertyWriter {
  readonly #part: string;
  #handle: FileHandle | undefined;
  #last: Promise<void> = Promise.resolve();

  /** `part`: its name until then; nothing is made before the first line. */
  constructor(part: string) {
    this.#part = part;
  }

  /** Calls may overlap. @throws Error of the system */
  add(path: string, properties: Properties): Promise<void> {
    if (Object.keys(properties).length === 0) return Promise.resolve();
    const line = `${JSON.stringify({ path, properties })}\n`;
    const done = this.#last.then(async () => {
      this.#handle ??= await open(this.#part, 'wx');
      await this.#handle.appendFile(line);
    });
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** The file has the name `place`; where nothing has properties there is none. @throws Error of the system */
  async end(place: string): Promise<void> {
    await this.#last;
    if (this.#handle === undefined) return rm(place, { force: true });
    await this.#handle.sync();
    await this.#handle.close();
    await rename(this.#part, place);
  }

  /** Idempotent. */
  async abort(): Promise<void> {
    await this.#handle?.close().catch(() => undefined);
    await rm(this.#part, { force: true });
  }
}

export interface ReadProperties {
  readonly of: ReadonlyMap<string, Properties>;
  /** What is wrong with the file, line by line. */
  readonly faults: readonly string[];
}

/** All that `file` says; nothing when it is not there. */
export async function readProperties(file: string): Promise<ReadProperties> {
  const of = new Map<string, Properties>();
  const faults: string[] = [];
  let number = 0;
  try {
    if ((await stat(file)).size > fileBytes) return { of, faults: ['it is larger than any that is written'] };
    for await (const line of createInterface({
      input: createReadStream(file, 'utf8'),
      crlfDelay: Infinity,
    })) {
      number += 1;
      const parsed = line.length > lineCharacters ? undefined : lineIn(line);
      if (parsed === undefined) faults.push(`line ${number} is not as \`coda export\` writes it`);
      else of.set(parsed.path, parsed.properties);
    }
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') faults.push(`it cannot be read: ${messageOf(error)}`);
  }
  return { of, faults };
}

function lineIn(line: string): z.infer<typeof lineSchema> | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
