/** `coda volume restore` and `coda volume snapshot restore`: a new volume of what was (Coda: volutil restore). */
import type { Command } from 'commander';
import { volumeNameSchema } from '../../vice/interface/index.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { systemRandom } from '../../vice/seam/real/system-random.js';
import type { Administration } from '../administration/administration.js';
import { stateOf } from '../administration/dump/dump-chain.js';
import { restored, type RestoreWish } from '../administration/dump/restoring.js';
import { stateOfSnapshot } from '../administration/dump/snapshot-state.js';
import type { VolumeState } from '../administration/dump/volume-state.js';
import { snapshotsOf } from '../administration/snapshot-making.js';
import { OperatorError } from '../config/operator-error.js';
import { tellCarrying } from './carrying-progress.js';
import { userOption } from './conflicts.js';
import { withDumps } from './dump-file.js';
import { gatewayOption } from './gateway-choice.js';
import { bytesText, print } from './output.js';
import { keyOption, realmOption, volumeNamed, withRealm, type RealmOptions } from './realm-choice.js';
import { restorePaths, type RestorePathsOptions } from './snapshot-paths.js';
import { dataOption } from './status.js';
import { unknownName } from './unknown-name.js';
import { countText, shown } from './words.js';

const json =
  'print one JSON object: {"id", "name", "servers", "changed", "silent", "objects", "bytes", "sent", ' +
  '"from": {"volume", "snapshot", "time"}}';

interface RestoreOptions extends RealmOptions {
  readonly then: readonly string[];
  readonly on?: string;
}

export function addRestoreVolumeCommand(volume: Command): void {
  volume
    .command('restore <file> <newvolume>')
    .description('make a new volume of what `coda volume dump` has written')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option(
      '--then <file>',
      'an incremental dump that builds on it; give it again for the next one',
      (file: string, files: readonly string[]) => [...files, file],
      [] as readonly string[],
    )
    .option('--on <servers>', 'which servers hold it, as s1,s2 (default: those of the root volume)')
    .option('--json', json)
    .addHelpText(
      'after',
      `
All files are read and found whole before anything is made. What the servers have already is not sent. Until all is
there the new volume cannot be mounted or changed; then \`coda volume mount\` shows it. If this is cut short, say it
again: it goes on, or says that all is done.

Examples:
  coda volume restore office.dump office-again
  coda volume restore office.dump office-again --then monday.dump --then tuesday.dump --on s1,s3`,
    )
    .action(async (file: string, given: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RestoreOptions>();
      const name = volumeNameIn(given);
      const servers = options.on?.split(',').map((server) => server.trim());
      await withDumps([file, ...options.then], async ([full, ...then]) => {
        if (full === undefined) throw new Error('volume restore: no dump');
        const state = await stateOf(full, ...then);
        await withRealm(options, (administration) => made(administration, options, state, { name, servers }));
      });
    });
}

interface SnapshotRestoreOptions extends RealmOptions, RestorePathsOptions {
  readonly as?: string;
}

export function addRestoreSnapshotCommand(snapshot: Command): void {
  snapshot
    .command('restore <volume> <name> [paths...]')
    .description('put files and folders of a snapshot back, or make a new volume of all that it holds')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--as <newvolume>', 'the name of the new volume (default: VOLUME-NAME)')
    .option(...gatewayOption)
    .option(...userOption)
    .option('--replace', 'put files over what is there now (default: beside it)')
    .option('--json', json)
    .addHelpText(
      'after',
      `
With paths (from the root of the volume; / is all of it) what was there comes back through the gateway, like any
change: where it was, if nothing is there now; else beside it, as "plan (noon 2024-05-31).txt", or over it with
--replace. What is as it was is left alone. A folder that is there stays, with all that is in it, and gets what it
lacks. Nothing is removed. Access lists do not come back: those of the folder hold.
With --json: {"gateway", "volume", "snapshot", "copied": {"files", "folders", "links", "bytes"}, "passedOver": {the
same}, "refused": [{"path", "reason"}], "refusals", "beside": [{"path", "name"}], "sent", "waiting", "kept"}

Without paths the volume itself stays as it is. The new one is on the same servers, where the contents are already;
mount it, or take its place by \`coda volume unmount\` and \`mount\`.

Examples:
  coda volume snapshot restore office "before the move" /docs/plan.txt /drawings
  coda volume snapshot restore office "before the move"
  coda volume snapshot restore office yesterday --as office-yesterday`,
    )
    .action(
      async (volumeName: string, name: string, paths: readonly string[], _options, command: Command) => {
        const options = command.optsWithGlobals<SnapshotRestoreOptions>();
        if (paths.length > 0) return restorePathsIn(volumeName, name, paths, options);
        if (options.replace === true) throw new OperatorError('usage', '--replace is for paths; give some');
        await withRealm(options, async (administration) => {
          const realm = await administration.document();
          const volume = volumeNamed(realm, volumeName);
          const { snapshots } = await snapshotsOf(administration, volume);
          const found = snapshots.findLast((each) => each.name === name);
          const [server] = found?.servers ?? [];
          if (found === undefined || server === undefined) {
            const names = snapshots.map((each) => each.name);
            throw unknownName(`snapshot of volume ${volume.name}`, name, names);
          }
          const state = stateOfSnapshot(administration, realm, { server, volume, snapshot: found });
          const servers = volume.replicas.flatMap((each) => (each.state === 'leaving' ? [] : [each.server]));
          const wish = {
            name: volumeNameIn(options.as ?? `${volume.name}-${name}`),
            servers: undefined,
            usually: servers,
            preferred: server,
          };
          await made(administration, options, state, wish);
        });
      },
    );
}

async function restorePathsIn(
  volume: string,
  name: string,
  paths: readonly string[],
  options: SnapshotRestoreOptions,
): Promise<void> {
  if (options.as === undefined) return restorePaths(volume, name, paths, options);
  throw new OperatorError(
    'usage',
    '--as makes a new volume of the whole snapshot; leave the paths out, or --as',
  );
}

async function made(
  administration: Administration,
  options: RealmOptions,
  state: VolumeState,
  wish: RestoreWish,
): Promise<void> {
  const carried = { objects: 0, bytes: 0, sent: 0 };
  const silence = tellCarrying('restored', carried, undefined);
  const world = { administration, clock: systemClock(), random: systemRandom() };
  const { volume, silent, changed } = await restored(state, wish, world, carried).finally(silence);
  const { header } = state;
  const report = {
    id: volume.id,
    name: volume.name,
    servers: volume.replicas.map(({ server }) => server),
    changed,
    silent,
    ...carried,
    from: { volume: header.volume.name, snapshot: header.state.snapshot, time: header.state.time },
  };
  print(options, report, () => {
    if (!changed) {
      const since = 'it was restored from that before, and is left as it is now';
      return `volume ${shown(volume.name)} (${volume.id}) is there already: ${since}`;
    }
    const has = `${countText(carried.objects, 'object')}, ${bytesText(carried.bytes)}`;
    const where = report.servers.join(', ');
    const sent = `of which ${bytesText(carried.sent)} were sent`;
    const head = `volume ${shown(volume.name)} (${volume.id}) holds all of it, on ${where}: ${has}, ${sent}`;
    const later = silent.map((server) => `${server} does not answer; it fetches all when it is back`);
    return [head, ...later, `Nobody sees it until it is mounted: coda volume mount`].join('\n');
  });
}

/** @throws OperatorError usage */
function volumeNameIn(text: string): string {
  const parsed = volumeNameSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  const fault = parsed.error.issues[0]?.message ?? '';
  throw new OperatorError('usage', `"${shown(text)}" is no name of a volume: ${fault}.`);
}
