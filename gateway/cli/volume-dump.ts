/** `coda volume dump`: a volume as a file, whole or what has changed since another one (Coda: volutil dump). */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { VolumeEntry } from '../../vice/interface/index.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import type { Administration } from '../administration/administration.js';
import type { CheckedDump } from '../administration/dump/checked-dump.js';
import { dropLeftover, dumpSource, type DumpSource, type DumpWish } from '../administration/dump/dumping.js';
import type { DumpTrailer } from '../administration/dump/format.js';
import { dumped } from '../administration/dump/writer.js';
import { reportOf } from '../administration/replica-way.js';
import { OperatorError } from '../config/operator-error.js';
import { removeLeftovers, requireNew, writeArchive } from './archive-file.js';
import { tellCarrying, type Carried } from './carrying-progress.js';
import { withDumps } from './dump-file.js';
import { bytesText, print, progress } from './output.js';
import { keyOption, realmOption, volumeNamed, withRealm, type RealmOptions } from './realm-choice.js';
import { dataOption } from './status.js';
import { countText, shown } from './words.js';
import { isLeft, ownMark } from './writing-process.js';

interface DumpOptions extends RealmOptions {
  readonly since?: string;
  readonly force?: boolean;
}

interface Written extends DumpTrailer {
  readonly snapshot: string;
  readonly time: number;
  readonly server: string;
  readonly incremental: boolean;
}

export function addDumpCommand(volume: Command): void {
  volume
    .command('dump <volume[@snapshot]> <file>')
    .description('write a volume, as it is or was in a snapshot, into a file')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--since <file or snapshot>', 'only what has changed since that dump, or that snapshot')
    .option('--force', 'replace the file if it exists')
    .option(
      '--json',
      'print one JSON object: {"id", "volume", "file", "snapshot", "time", "server", "incremental", "objects", ' +
        '"removed", "contents", "bytes", "sha256"}',
    )
    .addHelpText(
      'after',
      `
The file has everything: names, versions, attributes, properties, access lists, contents. It is written under another
name and gets its own when it is whole. Without a snapshot one is taken for the time of the dump. With
\`coda volume restore\` it becomes a new volume, in this realm or in another one. Users, groups and mounts are of the
realm, and not in it.

What is given after --since is looked for as a file first, then as a snapshot. A file must be a full dump, unless its
snapshot is still there. Keep what an incremental dump
builds on: without it nothing can be restored. Whoever can read the file can read all that is in it.

Examples:
  coda volume dump office office.dump
  coda volume dump "office@before the move" office.dump
  coda volume dump office monday.dump --since office.dump`,
    )
    .action(async (what: string, file: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DumpOptions>();
      const [name = '', ...rest] = what.split('@');
      const snapshot = rest.length === 0 ? undefined : rest.join('@');
      // A command that was killed may have given the file its name already, and left the rest.
      await removeLeftovers(file);
      await withRealm(options, async (administration) => {
        const entry = volumeNamed(await administration.document(), name);
        await dropLeftover(administration, { volume: entry, ...writing(file) });
        await requireNew(file, options.force === true);
        const write = (since: string | CheckedDump | undefined): Promise<Written> =>
          written(administration, { entry, snapshot, since, file, force: options.force === true });
        const { since } = options;
        const result =
          since !== undefined && existsSync(since)
            ? await withDumps([since], ([dump]) => write(dump))
            : await write(since);
        const report = { id: entry.id, volume: entry.name, file: resolve(file), ...result };
        print(options, report, () => writtenText(entry, file, result));
      });
    });
}

interface Wish {
  readonly entry: VolumeEntry;
  readonly snapshot: string | undefined;
  readonly since: string | CheckedDump | undefined;
  readonly file: string;
  readonly force: boolean;
}

/** Where a dump goes, and who writes it (dumping.ts, DU-1). */
function writing(file: string): Pick<DumpWish, 'target' | 'writer' | 'isLeft' | 'now'> {
  return { target: resolve(file), writer: ownMark(), isLeft, now: systemClock().wall() };
}

async function written(administration: Administration, wish: Wish): Promise<Written> {
  const { entry, snapshot, since, file, force } = wish;
  const stop = new Interruption();
  const source = await dumpSource(administration, { volume: entry, snapshot, since, ...writing(file) });
  const carried = { objects: 0, bytes: 0 };
  const all = since === undefined ? await amountAt(administration, source, entry) : undefined;
  const silence = tellCarrying('dumped', carried, all);
  let trailer: DumpTrailer | undefined;
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    trailer = yield* dumped(source.state, source.base, carried);
  };
  try {
    await writeArchive(file, stop.watched(bytes()), force);
  } finally {
    silence();
    const left = await source.close();
    if (left !== undefined) progress(left);
    stop.end();
  }
  if (trailer === undefined) throw new Error('volume dump: written without its end');
  const { state } = source.state.header;
  const { snapshot: name, time } = state;
  return { ...trailer, snapshot: name, time, server: source.server, incremental: since !== undefined };
}

async function amountAt(
  administration: Administration,
  { server }: DumpSource,
  { id }: VolumeEntry,
): Promise<Carried | undefined> {
  const found = (await reportOf(administration, server))?.volumes[id];
  return found === undefined ? undefined : { objects: found.objects, bytes: found.used };
}

/** Ctrl-C ends a dump between two pieces of it, so that nothing is left behind. */
class Interruption {
  #isMeant = false;
  readonly #stop = (): void => {
    this.#isMeant = true;
  };

  constructor() {
    process.once('SIGINT', this.#stop).once('SIGTERM', this.#stop);
  }

  async *watched(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      if (this.#isMeant)
        throw new OperatorError('refused', 'The dump was interrupted. Nothing was left behind.');
      yield chunk;
    }
  }

  end(): void {
    process.off('SIGINT', this.#stop).off('SIGTERM', this.#stop);
  }
}

function writtenText({ name }: VolumeEntry, file: string, result: Written): string {
  const { objects, removed, contents, bytes, server, incremental } = result;
  const head = incremental ? `what has changed in volume ${shown(name)}` : `volume ${shown(name)}`;
  const gone = incremental ? `, ${countText(removed, 'removal')}` : '';
  const has = `${countText(objects, 'object')}${gone}, ${countText(contents, 'content')} (${bytesText(bytes)})`;
  return `${file} holds ${head}, as ${server} had it: ${has}`;
}
