/** `coda volume replica`: a group grows, shrinks and moves while it is used. */
import type { Command } from 'commander';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { type Intention, type VolumeEntry } from '../../vice/interface/index.js';
import type { Administration } from '../administration/administration.js';
import { replicasOnTheWay, type OnTheWay } from '../administration/replica-way.js';
import { print, progress } from './output.js';
import { keyOption, realmOption, volumeNamed, withRealm, type RealmOptions } from './realm-choice.js';
import { wayText, type Start } from './replica-text.js';
import { dataOption } from './status.js';

interface ReplicaOptions extends RealmOptions {
  readonly wait: boolean;
  readonly lost?: boolean;
}

const goesOn =
  'It goes on at the servers if this command ends; said again, it shows how far it is and waits.';

export function addReplicaCommands(volume: Command): void {
  const replica = volume.command('replica').description('add, remove or move a replica of a volume, in use');
  order(
    replica,
    'add <volume> <server>',
    'let one more server hold the volume',
    `${goesOn} Until the new replica has everything it is not read from and counts for nothing.`,
    'coda volume replica add root s4',
  ).action(async (name: string, server: string, _options: unknown, command: Command) => {
    const options = command.optsWithGlobals<ReplicaOptions>();
    await run(options, name, [server], ({ id }) => ({
      change: 'add-replica',
      volume: id,
      server,
      replaces: null,
    }));
  });
  order(
    replica,
    'remove <volume> <server>',
    'let a server hold the volume no more',
    'Nothing is moved. It leaves when the others are known to have all that it has; then its server drops the data. ' +
      goesOn,
    'coda volume replica remove root s2\n  coda volume replica remove root s3 --lost',
  )
    .option('--lost', 'the server never comes back: do not ask it what it has')
    .action(async (name: string, server: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ReplicaOptions>();
      const lost = options.lost === true;
      await run(options, name, [server], ({ id }) => ({
        change: 'remove-replica',
        volume: id,
        server,
        lost,
      }));
    });
  order(
    replica,
    'move <volume> <from> <to>',
    'let another server hold the volume in place of one',
    `The new replica gets everything, then the old one leaves. ${goesOn}`,
    'coda volume replica move root s1 s4',
  ).action(async (name: string, from: string, to: string, _options: unknown, command: Command) => {
    const options = command.optsWithGlobals<ReplicaOptions>();
    await run(options, name, [from, to], ({ id }) => ({
      change: 'add-replica',
      volume: id,
      server: to,
      replaces: from,
    }));
  });
}

function order(parent: Command, name: string, description: string, help: string, examples: string): Command {
  return parent
    .command(name)
    .description(description)
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--no-wait', 'do not wait until it is done')
    .option('--json', 'print one JSON object: {"volume", "changed", "replicas": [{"id", "server", "state"}]}')
    .addHelpText('after', `\n${help}\n\nExamples:\n  ${examples}`);
}

async function run(
  options: ReplicaOptions,
  name: string,
  servers: readonly string[],
  intentionFor: (volume: VolumeEntry) => Intention,
): Promise<void> {
  await withRealm(options, async (administration) => {
    const volume = volumeNamed(await administration.document(), name);
    const changed = await administration.publish(intentionFor(volume));
    if (options.wait) await watch(administration, volume, servers);
    const { replicas } = volumeNamed(await administration.document(), volume.id);
    print(options, { volume: volume.name, changed, replicas }, () => {
      const list = replicas.map(({ server, state }) =>
        state === undefined ? server : `${server} (${state})`,
      );
      return `volume ${volume.name} is on ${list.join(', ')}`;
    });
  });
}

/** One line that is written anew on a terminal; else a line whenever something other than an amount changes. */
async function watch(
  administration: Administration,
  volume: VolumeEntry,
  servers: readonly string[],
): Promise<void> {
  const clock = systemClock();
  const starts = new Map<string, Start>();
  let told = '';
  let isOpen = false;
  for await (const ways of replicasOnTheWay(administration, volume.id, servers, clock)) {
    const now = clock.monotonic();
    const line = ways.map((way) => wayText(way, startOf(starts, way, now), now)).join('; ');
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\u001b[K${line}`);
      isOpen = true;
    } else {
      const what = ways.map(({ server, state, reason }) => `${server} ${state} ${reason}`).join();
      if (what !== told) progress(line);
      told = what;
    }
  }
  if (isOpen) process.stderr.write('\r\u001b[K');
}

function startOf(starts: Map<string, Start>, { replica, done }: OnTheWay, now: number): Start | undefined {
  if (done === undefined) return starts.get(replica);
  const start = starts.get(replica) ?? { at: now, done };
  starts.set(replica, start);
  return start;
}
