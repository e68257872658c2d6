/** Commands that say one thing of one volume. */
import type { Command } from 'commander';
import type { Intention, VolumeEntry } from '../../vice/interface/index.js';
import { print } from './output.js';
import { keyOption, realmOption, volumeNamed, withRealm, type RealmOptions } from './realm-choice.js';
import { dataOption } from './status.js';

export function order(volume: Command, name: string, description: string): Command {
  return volume
    .command(name)
    .description(description)
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--json', 'print one JSON object: {"id", "volume", "changed"}');
}

/** One intention about one volume. */
export async function run(
  command: Command,
  name: string,
  intentionFor: (volume: VolumeEntry) => Intention,
  text: () => string,
): Promise<void> {
  const options = command.optsWithGlobals<RealmOptions>();
  await withRealm(options, async (administration) => {
    const entry = volumeNamed(await administration.document(), name);
    const changed = await administration.publish(intentionFor(entry));
    print(options, { id: entry.id, volume: name, changed }, text);
  });
}
