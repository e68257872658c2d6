/** `coda log checkpoint` and `coda log restore`: pending changes in a file, and from it (Coda: cfs checkpointml). */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { downloadFromDoor, uploadToDoor } from '../realm/control-door.js';
import { restoredSchema } from '../realm/pending-change.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { ByteProgress, readArchive, requireNew, writeArchive } from './archive-file.js';
import { chooseGateway, gatewayOption, type ChosenGateway, type GatewayOptions } from './gateway-choice.js';
import { bytesText, print } from './output.js';
import { dataOption } from './status.js';
import { countText } from './words.js';

interface CheckpointOptions extends GatewayOptions {
  readonly force?: boolean;
}

export function addCheckpointCommand(log: Command): void {
  log
    .command('checkpoint <file>')
    .description('write all pending and kept changes with their contents into an archive')
    .option(...dataOption)
    .option(...gatewayOption)
    .option('--force', 'replace the file if it exists')
    .option('--json', 'print one JSON object: {"gateway", "file", "bytes"}')
    .addHelpText(
      'after',
      `
The archive is a tar file. \`coda log restore\` makes its changes anew, here or at another gateway; any tar
unpacks it too: the files are under tree/ with their names. It changes nothing: what waits goes on waiting.

Examples:
  coda log checkpoint changes.tar
  coda log checkpoint changes.tar --gateway g2 --force`,
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      await checkpoint(file, command.optsWithGlobals<CheckpointOptions>());
    });
}

export function addRestoreCommand(log: Command): void {
  log
    .command('restore <file>')
    .description('make the changes of an archive anew, in the names of their authors')
    .option(...dataOption)
    .option(...gatewayOption)
    .option('--json', 'print one JSON object: {"gateway", "restored", "present", "notes": [text]}')
    .addHelpText(
      'after',
      `
Nothing is overwritten that the author of a change had not seen: such contents are stored beside, as
"name (restored AUTHOR TIME).ext". Running it twice does no harm.

Examples:
  coda log restore changes.tar
  coda log restore changes.tar --gateway g2 --json`,
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      await restore(file, command.optsWithGlobals<GatewayOptions>());
    });
}

/** Writes an archive of the changes with these numbers, or of all. Returns its bytes. @throws OperatorError */
export async function saveArchive(
  gateway: ChosenGateway,
  file: string,
  sequences: readonly number[] | undefined,
  force: boolean,
): Promise<number> {
  const body = sequences === undefined ? {} : { sequences };
  const progress = new ByteProgress('written');
  const archive = await downloadFromDoor(gateway.folder, '/log/checkpoint', body, systemClock());
  await writeArchive(file, progress.count(archive), force);
  return progress.bytes;
}

async function checkpoint(file: string, options: CheckpointOptions): Promise<void> {
  const gateway = await chooseGateway(options);
  const force = options.force === true;
  await requireNew(file, force);
  const bytes = await saveArchive(gateway, file, undefined, force);
  print(options, { gateway: gateway.name, file: resolve(file), bytes }, () => {
    return `${file} holds what waits at ${gateway.name} (${bytesText(bytes)})`;
  });
}

async function restore(file: string, options: GatewayOptions): Promise<void> {
  const gateway = await chooseGateway(options);
  const progress = new ByteProgress('read');
  const result = await uploadToDoor(gateway.folder, '/log/restore', progress.count(readArchive(file)));
  const { restored, present, notes } = restoredSchema.parse(result);
  print(options, { gateway: gateway.name, restored, present, notes }, () => {
    const anew = `${countText(restored, 'change')} ${restored === 1 ? 'was' : 'were'} made anew`;
    const there = `${present} ${present === 1 ? 'was' : 'were'} there already`;
    return [`${anew}, ${there}.`, ...notes.map((note) => `- ${note}`)].join('\n');
  });
}
