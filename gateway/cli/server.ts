/** `coda server`: which servers a realm has, and which of them publishes its changes. */
import type { Command } from 'commander';
import { publisherOf, type RealmDocument } from '../../vice/interface/index.js';
import type { Administration } from '../administration/administration.js';
import { reportOf } from '../administration/replica-way.js';
import { OperatorError } from '../config/operator-error.js';
import { callControlDoor } from '../realm/control-door.js';
import { print, table } from './output.js';
import { folderOf, keyOption, realmOption, withRealm, type RealmOptions } from './realm-choice.js';
import { dataOption } from './status.js';

const jsonHelp =
  '{"changed", "version", "servers": [{"name", "address", "publishes", "answers", "volumes"}]}';

export function addServerCommand(program: Command): void {
  const server = program
    .command('server')
    .description('which servers a realm has: list, add, remove, say which publishes its changes');
  order(server, 'list', 'list the servers of the realm', 'coda server list').action(
    async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RealmOptions>();
      await withRealm(options, (administration) => show(options, administration, false));
    },
  );
  order(
    server,
    'add <name> [address]',
    'add a server; it holds nothing until a replica is added',
    'coda server add s4\n  coda server add s4 wss://10.0.0.7:7001 --realm office',
    'In a realm of `coda up` it is started, too, and needs no address. Elsewhere start it with `coda vice`.',
  ).action(async (name: string, address: string | undefined, _options: unknown, command: Command) => {
    await add(command.optsWithGlobals<RealmOptions>(), name, address);
  });
  order(
    server,
    'remove <name>',
    'remove a server that holds no replica any more',
    'coda server remove s2',
    'In a realm of `coda up` it is stopped, too; its folder stays.',
  ).action(async (name: string, _options: unknown, command: Command) => {
    await remove(command.optsWithGlobals<RealmOptions>(), name);
  });
  order(
    server,
    'publisher <name>',
    'let this server publish the changes of the realm from now on',
    'coda server publisher s2\n  coda server publisher s2 --lost',
    'The server that publishes now hands over. With --lost nobody asks it: say so only when it never comes back. A\n' +
      'change that it published in its last moment, and nobody has heard of, is then void.',
  )
    .option('--lost', 'the server that publishes now never comes back')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RealmOptions & { readonly lost?: boolean }>();
      await withRealm(options, async (administration) => {
        const changed =
          options.lost === true
            ? await administration.takeOver(name)
            : await administration.publish({ change: 'set-publisher', name });
        await show(options, administration, changed);
      });
    });
}

function order(parent: Command, name: string, description: string, examples: string, help = ''): Command {
  return parent
    .command(name)
    .description(description)
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--json', `print one JSON object: ${jsonHelp}`)
    .addHelpText('after', `${help === '' ? '' : `\n${help}\n`}\nExamples:\n  ${examples}`);
}

async function add(options: RealmOptions, name: string, address: string | undefined): Promise<void> {
  const folder = folderOf(options);
  if (folder !== undefined && address !== undefined) {
    const message = 'A realm of `coda up` runs all of its servers itself: leave the address out.';
    throw new OperatorError('usage', message);
  }
  if (folder === undefined && address === undefined) {
    throw new OperatorError('usage', 'Give the address of the server, as wss://10.0.0.7:7001.');
  }
  await withRealm(options, async (administration) => {
    const before = (await administration.document()).version;
    if (folder !== undefined) {
      await callControlDoor(folder, 'POST', `/servers/${encodeURIComponent(name)}/add`);
    } else if (address !== undefined) {
      await administration.publish({ change: 'add-server', name, address });
    }
    await show(options, administration, (await administration.document()).version > before);
  });
}

async function remove(options: RealmOptions, name: string): Promise<void> {
  const folder = folderOf(options);
  await withRealm(options, async (administration) => {
    const before = (await administration.document()).version;
    if (folder !== undefined) {
      await callControlDoor(folder, 'POST', `/servers/${encodeURIComponent(name)}/remove`);
    } else await administration.publish({ change: 'remove-server', name });
    await show(options, administration, (await administration.document()).version > before);
  });
}

async function show(options: RealmOptions, administration: Administration, changed: boolean): Promise<void> {
  const document = await administration.document();
  const servers = await Promise.all(
    document.servers.map(async ({ name, address }) => {
      const answers = (await reportOf(administration, name)) !== undefined;
      const publishes = publisherOf(document) === name;
      return { name, address, publishes, answers, volumes: volumesOn(document, name) };
    }),
  );
  print(options, { changed, version: document.version, servers }, () =>
    table([
      ['SERVER', 'ADDRESS', '', 'VOLUMES'],
      ...servers.map(({ name, address, publishes, answers, volumes }) => {
        const notes = [...(publishes ? ['publishes'] : []), ...(answers ? [] : ['does not answer'])];
        return [name, address, notes.join(', '), volumes.join(' ')];
      }),
    ]),
  );
}

function volumesOn({ volumes }: RealmDocument, server: string): string[] {
  return volumes
    .filter(({ replicas }) => replicas.some((each) => each.server === server))
    .map(({ name }) => name);
}
