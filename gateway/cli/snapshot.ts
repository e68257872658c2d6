/** `coda volume snapshot`: what a volume was at one moment, kept and read by everybody who may. */
import type { Command } from 'commander';
import { snapshotNameSchema, type VolumeEntry } from '../../vice/interface/index.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import type { Administration } from '../administration/administration.js';
import {
  dropSnapshot,
  snapshotsOf,
  takeSnapshot,
  type Done,
  type KnownSnapshots,
} from '../administration/snapshot-making.js';
import { OperatorError } from '../config/operator-error.js';
import { print, table } from './output.js';
import { keyOption, realmOption, volumeNamed, withRealm, type RealmOptions } from './realm-choice.js';
import { dataOption } from './status.js';
import { unknownName } from './unknown-name.js';
import { addRestoreSnapshotCommand } from './volume-restore.js';
import { shown, timeText } from './words.js';

export function addSnapshotCommands(volume: Command): void {
  const snapshot = volume
    .command('snapshot')
    .description('keep what a volume is now, to be read later under /.coda/snapshots');
  addCreate(snapshot);
  addList(snapshot);
  addDelete(snapshot);
  addRestoreSnapshotCommand(snapshot);
}

function command(snapshot: Command, usage: string, description: string, json: string, help: string): Command {
  return snapshot
    .command(usage)
    .description(description)
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--json', `print one JSON object: ${json}`)
    .addHelpText('after', help);
}

function addCreate(snapshot: Command): void {
  command(
    snapshot,
    'create <volume> [name]',
    'take a snapshot of a volume, at each of its servers',
    '{"id", "volume", "name", "time", "servers", "missing": [{"server", "reason"}], "changed"}',
    `
It is taken at once, however large the volume is, and takes room only for what is changed or removed after it. That
counts against no quota. Without a name it bears the date and the time.

Everybody reads it under /.coda/snapshots/NAME, as far as the access lists in it let him, and copies out of it what he
needs. What waited in a gateway for a server is not in it. A server that is away ("missing") gets it
from the others when it is back.

Said again within a minute under the same name, it goes on where it was; later that name is taken.

Examples:
  coda volume snapshot create root
  coda volume snapshot create root "before the move"`,
  ).action(async (name: string, given: string | undefined, _options: unknown, at: Command) => {
    const options = at.optsWithGlobals<RealmOptions>();
    const time = systemClock().wall();
    const snapshotName = nameIn(given ?? defaultName(time));
    await withRealm(options, async (administration) => {
      const entry = volumeNamed(await administration.document(), name);
      const taken = await takeSnapshot(administration, entry, { name: snapshotName, time });
      print(options, { id: entry.id, volume: entry.name, ...taken }, () => takenText(entry, taken));
    });
  });
}

function addList(snapshot: Command): void {
  command(
    snapshot,
    'list [volume]',
    'list the snapshots there are, and which servers have them',
    '{"snapshots": [{"id", "volume", "name", "time", "servers", "lacking"}], ' +
      '"silent": [{"volume", "server", "reason"}]}',
    `
"time" is in milliseconds since 1970. "lacking": a server that was away when it was taken, or came to the volume later;
it is brought there within minutes.

Examples:
  coda volume snapshot list
  coda volume snapshot list root --json`,
  ).action(async (name: string | undefined, _options: unknown, at: Command) => {
    const options = at.optsWithGlobals<RealmOptions>();
    await withRealm(options, async (administration) => {
      const document = await administration.document();
      const entries = name === undefined ? document.volumes : [volumeNamed(document, name)];
      const all = await listed(administration, entries);
      const snapshots = all.flatMap(({ entry, known }) =>
        known.snapshots.map((each) => ({ id: entry.id, volume: entry.name, ...each })),
      );
      const silent = all.flatMap(({ entry, known }) =>
        known.silent.map((each) => ({ volume: entry.name, ...each })),
      );
      print(options, { snapshots, silent }, () => listText(snapshots, silent));
    });
  });
}

function addDelete(snapshot: Command): void {
  command(
    snapshot,
    'delete <volume> <name>',
    'delete a snapshot of a volume, at each of its servers',
    '{"id", "volume", "name", "servers", "missing": [{"server", "reason"}], "changed"}',
    `
What only it has kept is given free by and by. A server that is away deletes it when it is back and
hears of that.

Examples:
  coda volume snapshot delete root "before the move"`,
  ).action(async (name: string, snapshotName: string, _options: unknown, at: Command) => {
    const options = at.optsWithGlobals<RealmOptions>();
    await withRealm(options, async (administration) => {
      const entry = volumeNamed(await administration.document(), name);
      const { snapshots } = await snapshotsOf(administration, entry);
      const done = await dropSnapshot(administration, entry, snapshotName);
      if (!done.changed) {
        const names = snapshots.map((each) => each.name);
        throw unknownName(`snapshot of volume ${entry.name}`, snapshotName, names);
      }
      const result = { id: entry.id, volume: entry.name, name: snapshotName, ...done };
      print(options, result, () => droppedText(entry, snapshotName, done));
      const silent = done.missing.map(({ server }) => server);
      if (silent.length > 0)
        throw new OperatorError(
          'unreachable',
          `it is still at ${silent.join(', ')}, until that is back and hears of it`,
        );
    });
  });
}

/** A volume none of whose servers answers has no snapshots to show, and says so. */
async function listed(
  administration: Administration,
  entries: readonly VolumeEntry[],
): Promise<readonly { readonly entry: VolumeEntry; readonly known: KnownSnapshots }[]> {
  return Promise.all(
    entries.map(async (entry) => ({ entry, known: await snapshotsOf(administration, entry) })),
  );
}

/** @throws OperatorError usage */
function nameIn(given: string): string {
  const name = snapshotNameSchema.safeParse(given);
  if (name.success) return name.data;
  const fault = name.error.issues[0]?.message ?? '';
  throw new OperatorError('usage', `"${shown(given)}" is no name of a snapshot: ${fault}`);
}

/** Local time, without colons: it is the name of a folder on every client's system. */
function defaultName(time: number): string {
  return timeText(time).replaceAll(':', '.');
}

function takenText({ name: volume }: VolumeEntry, { name, servers, missing, changed }: Done & Named): string {
  const what = `snapshot ${shown(name)} of volume ${shown(volume)}`;
  const head = changed ? `${what} is taken` : `${what} was taken before`;
  const lacks = missing.map(({ server, reason }) => `${server} lacks it: ${shown(reason)}`);
  return [`${head}, at ${servers.join(', ')}; read it under /.coda/snapshots/${shown(name)}`, ...lacks].join(
    '\n',
  );
}

interface Named {
  readonly name: string;
}

function droppedText({ name: volume }: VolumeEntry, name: string, { servers, missing }: Done): string {
  const lines = missing.map(({ server, reason }) => `${server}: ${shown(reason)}`);
  const head = `snapshot ${shown(name)} of volume ${shown(volume)} is deleted, at ${servers.join(', ')}`;
  return [head, ...lines].join('\n');
}

function listText(
  snapshots: readonly {
    readonly volume: string;
    readonly name: string;
    readonly time: number;
    readonly servers: readonly string[];
    readonly lacking: readonly string[];
  }[],
  silent: readonly { readonly volume: string; readonly server: string }[],
): string {
  const rows = snapshots.map(({ volume, name, time, servers, lacking }) => {
    const lacks = lacking.length === 0 ? '' : `not at ${lacking.join(' ')}`;
    return [shown(volume), shown(name), timeText(time), servers.join(' '), lacks];
  });
  const heads = rows.length === 0 ? [] : [['VOLUME', 'NAME', 'TAKEN', 'SERVERS', '']];
  const none = rows.length === 0 ? ['there are no snapshots'] : [];
  const quiet = silent.map(({ volume, server }) => `${server} does not tell of volume ${shown(volume)}`);
  return [...none, ...(rows.length === 0 ? [] : [table([...heads, ...rows])]), ...quiet].join('\n');
}
