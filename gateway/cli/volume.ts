/** `coda volume`: which volumes a realm has, and where. */
import type { Command } from 'commander';
import {
  publisherOf,
  volumeOf,
  type Fid,
  type RealmDocument,
  type VolumeEntry,
} from '../../vice/interface/index.js';
import type { Administration } from '../administration/administration.js';
import { reportOf } from '../administration/replica-way.js';
import { OperatorError } from '../config/operator-error.js';
import { bytesText, print, table } from './output.js';
import { addPolicyCommand } from './policy.js';
import { keyOption, realmOption, volumeNamed, withRealm, type RealmOptions } from './realm-choice.js';
import { addReplicaCommands } from './replica.js';
import { addSnapshotCommands } from './snapshot.js';
import { dataOption, readStatus } from './status.js';
import { addVolumeChangeCommands } from './volume-change.js';
import { addDumpCommand } from './volume-dump.js';
import { addVolumeMountCommands } from './volume-mount.js';
import { addRestoreVolumeCommand } from './volume-restore.js';
import { countText, shown } from './words.js';

export function addVolumeCommand(program: Command): void {
  const volume = program.command('volume').description('which volumes a realm has, and on which servers');
  volume
    .command('list')
    .description('list the volumes of the realm')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option(
      '--json',
      'print one JSON object: {"version", "volumes": [{"id", "name", "mount", "path", "quota", "locked", ' +
        '"restoring", "replicas"}]}',
    )
    .addHelpText(
      'after',
      `
"mount" is the Fid of the folder that the volume covers; null: it is not mounted, or the root of the share. "path" is
where that is in the share, as a gateway on --data sees it; null: it is in no tree, or no gateway there knows. "quota"
is in bytes, or null.

Examples:
  coda volume list`,
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RealmOptions>();
      const document = await withRealm(options, (administration) => administration.document());
      const paths = await knownPaths(options);
      const volumes = document.volumes.map((volume) => {
        const path = pathOf(document, volume, paths) ?? null;
        return { ...traitsOf(volume), path, replicas: volume.replicas };
      });
      print(options, { version: document.version, volumes }, () => volumesText(document, paths));
    });
  volume
    .command('info <volume>')
    .description('show what each server has of a volume')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option(
      '--json',
      'print one JSON object: {"id", "name", "mount", "quota", "locked", "restoring", "conflicts", "used", ' +
        '"available", "undecided", "replicas": [{"id", "server", "state", "answers", "objects", "bytes", ' +
        '"available", "reason"}]}',
    )
    .addHelpText(
      'after',
      `
"used", "available" (bytes) and "undecided" (conflicts that a person has to decide) are null while no server answers.
"state" is member, filling (it has not got everything yet) or leaving (the others have not got everything of it yet);
"reason" says what such a one waits for, or is null.

Examples:
  coda volume info root`,
    )
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RealmOptions>();
      const info = await withRealm(options, (administration) => infoOf(administration, name));
      print(options, info, () => infoText(info));
    });
  addVolumeChangeCommands(volume);
  addVolumeMountCommands(volume);
  addPolicyCommand(volume);
  addReplicaCommands(volume);
  addSnapshotCommands(volume);
  addDumpCommand(volume);
  addRestoreVolumeCommand(volume);
}

/** Volume -> its path, as gateways on the data folder see it: only they know names. */
async function knownPaths(options: RealmOptions): Promise<ReadonlyMap<string, string>> {
  // A realm document is no data folder, and what runs on the usual one may be of another realm.
  if (options.realm !== undefined && options.data === undefined) return new Map();
  try {
    const { gateways } = await readStatus(options);
    const seen = gateways
      .flatMap(({ volumes }) => volumes)
      .flatMap(({ id, path }) => {
        return path === null ? [] : [[id, `/${path.join('/')}`] as const];
      });
    return new Map(seen);
  } catch (error) {
    // None runs there; the list is of use without.
    if (error instanceof OperatorError) return new Map();
    throw error;
  }
}

/** What the document says of a volume as a whole. */
function traitsOf({ id, name, mount, quotaBytes, locked, restoring }: VolumeEntry): Traits {
  const bounds = { quota: quotaBytes ?? null, locked: locked === true };
  return { id, name, mount: mount ?? null, ...bounds, restoring: restoring !== undefined };
}

interface Traits extends Pick<VolumeEntry, 'id' | 'name'> {
  readonly mount: Fid | null;
  readonly quota: number | null;
  readonly locked: boolean;
  /** It is not whole. */
  readonly restoring: boolean;
}

/** The root, or what a gateway says; one that has not heard yet of an unmounting is not believed. */
function pathOf(
  { rootVolume }: RealmDocument,
  { id, mount }: VolumeEntry,
  paths: ReadonlyMap<string, string>,
): string | undefined {
  if (id === rootVolume) return '/';
  return mount === undefined ? undefined : paths.get(id);
}

function mountText(document: RealmDocument, volume: VolumeEntry, paths: ReadonlyMap<string, string>): string {
  const { mount } = volume;
  const path = pathOf(document, volume, paths);
  if (path !== undefined) return shown(path);
  if (mount === undefined) return 'not mounted';
  const { volumes } = document;
  const above = volumes.find((volume) => volume.id === volumeOf(mount));
  return `in ${shown(above?.name ?? volumeOf(mount))}`;
}

function volumesText(document: RealmDocument, paths: ReadonlyMap<string, string>): string {
  const rows = document.volumes.map((volume) => {
    const { id, name, replicas, quotaBytes, locked, restoring } = volume;
    const servers = replicas.map(({ server, state }) =>
      state === undefined ? server : `${server} (${state})`,
    );
    const quota = quotaBytes === undefined ? '-' : bytesText(quotaBytes);
    const lock = locked === true ? ' (locked)' : '';
    const state = restoring === undefined ? lock : ' (being restored)';
    return [`${shown(name)}${state}`, id, mountText(document, volume, paths), quota, servers.join(' ')];
  });
  return table([['VOLUME', 'ID', 'MOUNT', 'QUOTA', 'SERVERS'], ...rows]);
}

interface Info extends Traits {
  readonly conflicts: string;
  readonly used: number | null;
  readonly available: number | null;
  readonly undecided: number | null;
  readonly replicas: readonly {
    readonly id: string;
    readonly server: string;
    readonly state: 'member' | 'filling' | 'leaving';
    readonly answers: boolean;
    readonly objects: number | null;
    readonly bytes: number | null;
    readonly available: number | null;
    readonly reason: string | null;
  }[];
}

async function infoOf(administration: Administration, volumeName: string): Promise<Info> {
  const document = await administration.document();
  const entry = volumeNamed(document, volumeName);
  const { id, conflicts, replicas } = entry;
  const publisher = await reportOf(administration, publisherOf(document));
  const infos = replicas.map(async ({ id: replica, server, state }) => {
    const report = await reportOf(administration, server);
    const {
      objects = null,
      used = null,
      available = null,
      conflicts: count = null,
    } = report?.volumes[id] ?? {};
    const waits = publisher?.waiting.find((each) => each.volume === id && each.replica === replica);
    return {
      id: replica,
      server,
      state: state ?? ('member' as const),
      answers: report !== undefined,
      objects,
      bytes: used,
      available,
      reason: waits?.reason ?? null,
      undecided: state === undefined ? count : null,
    };
  });
  const each = await Promise.all(infos);
  const members = each.filter(({ state }) => state === 'member');
  return {
    ...traitsOf(entry),
    conflicts: conflicts ?? 'keep',
    used: furthest(Math.max, members, ({ bytes }) => bytes),
    available: furthest(Math.min, members, ({ available }) => available),
    undecided: furthest(Math.max, members, ({ undecided }) => undecided),
    replicas: each.map(({ undecided: _undecided, ...replica }) => replica),
  };
}

/** Of the figures of those that answer; null: none does. */
function furthest<T>(
  choose: (...figures: number[]) => number,
  replicas: readonly T[],
  figureOf: (replica: T) => number | null,
): number | null {
  const figures = replicas.flatMap((replica) => figureOf(replica) ?? []);
  return figures.length === 0 ? null : choose(...figures);
}

function infoText({
  id,
  name,
  conflicts,
  replicas,
  quota,
  locked,
  used,
  available,
  undecided,
}: Info): string {
  const rows = replicas.map(({ server, state, answers, objects, bytes, available, reason }) => {
    const has =
      objects === null || bytes === null ? '-' : `${countText(objects, 'object')}, ${bytesText(bytes)}`;
    const free = available === null ? '-' : `${bytesText(available)} free`;
    return [server, state, answers ? has : 'does not answer', free, reason ?? ''];
  });
  const head = `volume ${shown(name)} (${id})${locked ? ', locked' : ''}, versions made apart: ${conflicts}`;
  const bound = quota === null ? 'no quota' : `quota ${bytesText(quota)}`;
  const room =
    used === null || available === null ? '' : `${bytesText(used)} used, ${bytesText(available)} available, `;
  const decide =
    undecided === null || undecided === 0 ? '' : `, ${countText(undecided, 'conflict')} to decide`;
  return `${head}\n${room}${bound}${decide}\n${table([['SERVER', 'STATE', 'HAS', 'ROOM', ''], ...rows])}`;
}
