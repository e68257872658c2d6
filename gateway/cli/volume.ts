/** `coda volume`: which volumes a realm has, and where. */
import type { Command } from 'commander';
import { publisherOf, type RealmDocument, type VolumeEntry } from '../../vice/interface/index.js';
import type { Administration } from '../administration/administration.js';
import { reportOf } from '../administration/replica-way.js';
import { bytesText, print, table } from './output.js';
import { addPolicyCommand } from './policy.js';
import { keyOption, realmOption, volumeNamed, withRealm, type RealmOptions } from './realm-choice.js';
import { addReplicaCommands } from './replica.js';
import { dataOption } from './status.js';
import { countText, shown } from './words.js';

export function addVolumeCommand(program: Command): void {
  const volume = program.command('volume').description('which volumes a realm has, and on which servers');
  volume
    .command('list')
    .description('list the volumes of the realm')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--json', 'print one JSON object: {"version", "volumes": [{"id", "name", "replicas"}]}')
    .addHelpText('after', '\nExamples:\n  coda volume list')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RealmOptions>();
      const document = await withRealm(options, (administration) => administration.document());
      const volumes = document.volumes.map(({ id, name, replicas }) => ({ id, name, replicas }));
      print(options, { version: document.version, volumes }, () => volumesText(document));
    });
  volume
    .command('info <volume>')
    .description('show what each server has of a volume')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option(
      '--json',
      'print one JSON object: {"id", "name", "conflicts", "replicas": [{"id", "server", "state", "answers", ' +
        '"objects", "bytes", "available", "reason"}]}',
    )
    .addHelpText(
      'after',
      `
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
  addPolicyCommand(volume);
  addReplicaCommands(volume);
}

function volumesText({ volumes, rootVolume }: RealmDocument): string {
  const rows = volumes.map(({ id, name, replicas }) => {
    const servers = replicas.map(({ server, state }) =>
      state === undefined ? server : `${server} (${state})`,
    );
    return [shown(name), id, id === rootVolume ? 'the root' : '', servers.join(' ')];
  });
  return table([['VOLUME', 'ID', '', 'SERVERS'], ...rows]);
}

type Info = Pick<VolumeEntry, 'id' | 'name'> & {
  readonly conflicts: string;
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
};

async function infoOf(administration: Administration, volumeName: string): Promise<Info> {
  const document = await administration.document();
  const { id, name, conflicts, replicas } = volumeNamed(document, volumeName);
  const publisher = await reportOf(administration, publisherOf(document));
  const infos = replicas.map(async ({ id: replica, server, state }) => {
    const report = await reportOf(administration, server);
    const { objects = null, used = null, available = null } = report?.volumes[id] ?? {};
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
    };
  });
  return { id, name, conflicts: conflicts ?? 'keep', replicas: await Promise.all(infos) };
}

function infoText({ id, name, conflicts, replicas }: Info): string {
  const rows = replicas.map(({ server, state, answers, objects, bytes, available, reason }) => {
    const has =
      objects === null || bytes === null ? '-' : `${countText(objects, 'object')}, ${bytesText(bytes)}`;
    const free = available === null ? '-' : `${bytesText(available)} free`;
    return [server, state, answers ? has : 'does not answer', free, reason ?? ''];
  });
  const head = `volume ${shown(name)} (${id}), versions made apart: ${conflicts}`;
  return `${head}\n${table([['SERVER', 'STATE', 'HAS', 'ROOM', ''], ...rows])}`;
}
