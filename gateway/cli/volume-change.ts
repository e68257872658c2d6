/** `coda volume create`, `rename`, `delete`, `quota`, `lock`, `unlock`: whole volumes, while they are used. */
import type { Command } from 'commander';
import { volumeNameSchema } from '../../vice/interface/index.js';
import { systemRandom } from '../../vice/seam/real/system-random.js';
import { reportOf } from '../administration/replica-way.js';
import { madeVolume } from '../administration/volume-making.js';
import { OperatorError } from '../config/operator-error.js';
import { isMeant, mustBeAskable, type ConfirmationOptions } from './confirmation.js';
import { gatewayOption, type GatewayOptions } from './gateway-choice.js';
import { userOption } from './conflicts.js';
import { bytesText, print } from './output.js';
import { keyOption, realmOption, volumeNamed, withRealm, type RealmOptions } from './realm-choice.js';
import { parseSize } from './size.js';
import { dataOption } from './status.js';
import { mounted } from './volume-mount.js';
import { order, run } from './volume-order.js';
import { countText, shown } from './words.js';

interface CreateOptions extends RealmOptions, GatewayOptions {
  readonly servers?: string;
  readonly mount?: string;
  readonly user: string;
}

export function addVolumeChangeCommands(volume: Command): void {
  addCreate(volume);
  order(volume, 'rename <volume> <name>', 'give a volume another name; where it is mounted does not change')
    .addHelpText('after', '\nExamples:\n  coda volume rename drawings plans')
    .action(async (name: string, other: string, _options: unknown, command: Command) => {
      const to = nameIn(other);
      await run(
        command,
        name,
        ({ id }) => ({ change: 'rename-volume', volume: id, name: to }),
        () => `volume ${shown(name)} is called ${shown(to)} now`,
      );
    });
  addDelete(volume);
  addQuota(volume);
  const lockHelp = `
Nothing in a locked volume can be changed through any gateway; reading goes on, and so does what servers do among
themselves. What a gateway has taken while it was away waits there until the volume is unlocked.
`;
  order(volume, 'lock <volume>', 'let a volume only be read')
    .addHelpText('after', `${lockHelp}\nExamples:\n  coda volume lock archive`)
    .action(async (name: string, _options: unknown, command: Command) => {
      await run(
        command,
        name,
        ({ id }) => ({ change: 'lock-volume', volume: id }),
        () => `volume ${shown(name)} can only be read from now on`,
      );
    });
  order(volume, 'unlock <volume>', 'let a locked volume be changed again')
    .addHelpText('after', '\nExamples:\n  coda volume unlock archive')
    .action(async (name: string, _options: unknown, command: Command) => {
      await run(
        command,
        name,
        ({ id }) => ({ change: 'unlock-volume', volume: id }),
        () => `volume ${shown(name)} can be changed`,
      );
    });
}

function addCreate(volume: Command): void {
  volume
    .command('create <name>')
    .description('make an empty volume on some servers')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option(...gatewayOption)
    .option(...userOption)
    .option('--servers <names>', 'which servers hold it, as s1,s2 (default: those of the root volume)')
    .option('--mount <path>', 'mount it there at once, as `coda volume mount` does')
    .option('--json', 'print one JSON object: {"id", "name", "servers", "changed", "mount"}')
    .addHelpText(
      'after',
      `
Said again, it finds the volume that is there and goes on. Until it is mounted nobody sees it.

Examples:
  coda volume create drawings --servers s1,s3
  coda volume create letters --mount /letters`,
    )
    .action(async (given: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<CreateOptions>();
      const name = nameIn(given);
      const servers = options.servers?.split(',').map((server) => server.trim());
      await withRealm(options, async (administration) => {
        const { volume: made, isNew } = await madeVolume(administration, { name, servers }, systemRandom());
        const place =
          options.mount === undefined
            ? undefined
            : await mounted(administration, made, options.mount, options);
        const on = made.replicas.map(({ server }) => server);
        const { id } = made;
        const report = {
          id,
          name,
          servers: on,
          changed: isNew,
          mount: place?.directory ?? made.mount ?? null,
        };
        print(options, report, () => {
          const there = isNew ? 'is made' : 'is there already';
          const seen = options.mount === undefined ? '' : `, and mounted at ${shown(options.mount)}`;
          return `volume ${shown(name)} (${id}) ${there}, on ${on.join(', ')}${seen}`;
        });
      });
    });
}

function addDelete(volume: Command): void {
  order(volume, 'delete <volume>', 'delete a volume with all that is in it')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
It must not be mounted, and no other volume may be mounted inside it. All servers drop it, also those that are away
now, once they are back. Nothing brings it back.

Examples:
  coda volume unmount drawings
  coda volume delete drawings --yes`,
    )
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RealmOptions & ConfirmationOptions>();
      mustBeAskable(options);
      await withRealm(options, async (administration) => {
        const { retiredVolumes = [] } = await administration.document();
        if (retiredVolumes.some((retired) => retired === name)) {
          return print(
            options,
            { id: name, volume: name, changed: false },
            () => `volume ${name} is deleted`,
          );
        }
        const { id, replicas } = volumeNamed(administration.known, name);
        if (options.yes !== true) {
          const report = await reportOf(administration, replicas[0]?.server);
          const { objects, used } = report?.volumes[id] ?? {};
          const has =
            objects === undefined || used === undefined
              ? 'all that is in it'
              : `${countText(objects, 'object')} (${bytesText(used)})`;
          if (!(await isMeant(`Delete volume ${shown(name)} with ${has}?`))) {
            throw new OperatorError('refused', 'Nothing was deleted.');
          }
        }
        const changed = await administration.publish({ change: 'delete-volume', volume: id });
        print(options, { id, volume: name, changed }, () => `volume ${shown(name)} is deleted`);
      });
    });
}

function addQuota(volume: Command): void {
  order(volume, 'quota <volume> <size>', 'bound what the files of a volume may take together')
    .addHelpText(
      'after',
      `
SIZE is in bytes, or a number with K, M, G or T, as 20G; "none" takes the bound away. What is there stays, and can
always be removed; what would make it more is refused. All versions of a file count, but not names and properties.

Examples:
  coda volume quota drawings 500G
  coda volume quota drawings none`,
    )
    .action(async (name: string, size: string, _options: unknown, command: Command) => {
      const bytes = size === 'none' ? null : parseSize(size);
      if (bytes === 0)
        throw new OperatorError('usage', 'A quota is at least one byte; "none" takes it away.');
      await run(
        command,
        name,
        ({ id }) => ({ change: 'set-quota', volume: id, bytes }),
        () =>
          `volume ${shown(name)} may take ${bytes === null ? 'as much as the disks take' : bytesText(bytes)}`,
      );
    });
}

/** @throws OperatorError usage */
function nameIn(text: string): string {
  const parsed = volumeNameSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new OperatorError(
    'usage',
    `"${shown(text)}" is no name of a volume: ${parsed.error.issues[0]?.message ?? ''}.`,
  );
}
