/** `coda volume mount` and `unmount`: where in the share a volume is seen. */
import type { Command } from 'commander';
import type { Fid, VolumeEntry } from '../../vice/interface/index.js';
import type { Administration } from '../administration/administration.js';
import { callControlDoor } from '../realm/control-door.js';
import { preparedSchema, type Prepared } from '../realm/mount-orders.js';
import { userOption } from './conflicts.js';
import { chooseGateway, gatewayOption, type GatewayOptions } from './gateway-choice.js';
import { print } from './output.js';
import { keyOption, realmOption, volumeNamed, withRealm, type RealmOptions } from './realm-choice.js';
import { dataOption } from './status.js';
import { order, run } from './volume-order.js';
import { shown } from './words.js';

export interface MountOptions extends RealmOptions, GatewayOptions {
  readonly user: string;
}

export function addVolumeMountCommands(volume: Command): void {
  volume
    .command('mount <volume> <path>')
    .description('show a volume at a folder of the share')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option(...gatewayOption)
    .option(...userOption)
    .option('--json', 'print one JSON object: {"id", "volume", "path", "directory", "changed"}')
    .addHelpText(
      'after',
      `
The folder must be empty; it is made if it is missing. It may be in another mounted volume. The access list that holds
there becomes that of the volume, unless the volume has one. A gateway finds the folder, so one must run on --data, and
--user must be allowed to make folders there (and to set lists, where a list holds).
A mounted volume stays where it is when folders above it are renamed or moved.

Examples:
  coda volume mount drawings /projects/drawings
  coda volume mount drawings /projects/drawings --realm office --data /srv/coda/g1`,
    )
    .action(async (name: string, path: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<MountOptions>();
      await withRealm(options, async (administration) => {
        const entry = volumeNamed(await administration.document(), name);
        const { directory, changed, isListed } = await mounted(administration, entry, path, options);
        print(options, { id: entry.id, volume: name, path, directory, changed }, () => {
          const list = isListed ? '; the access list of that place is its own now' : '';
          return `volume ${shown(name)} is mounted at ${shown(path)}${list}`;
        });
      });
    });
  order(volume, 'unmount <volume>', 'show a volume no more; what is in it stays')
    .addHelpText('after', '\nExamples:\n  coda volume unmount drawings')
    .action(async (name: string, _options: unknown, command: Command) => {
      await run(
        command,
        name,
        ({ id }) => ({ change: 'unmount-volume', volume: id }),
        () => `volume ${shown(name)} is not mounted`,
      );
    });
}

/** @throws OperatorError, Failure */
export async function mounted(
  administration: Administration,
  { id }: VolumeEntry,
  path: string,
  options: MountOptions,
): Promise<Pick<Prepared, 'isListed'> & { readonly directory: Fid; readonly changed: boolean }> {
  const gateway = await chooseGateway(options);
  const asked = { user: options.user, path, volume: id };
  const reply = await callControlDoor(gateway.folder, 'POST', '/mount/prepare', asked);
  const { directory, isMounted, isListed } = preparedSchema.parse(reply);
  if (isMounted) return { directory, changed: false, isListed: false };
  const changed = await administration.publish({ change: 'mount-volume', volume: id, directory });
  return { directory, changed, isListed };
}
