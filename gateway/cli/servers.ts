/** `coda servers`: list, stop and start the Vice servers of a running realm. */
import type { Command } from 'commander';
import { callControlDoor } from '../realm/control-door.js';
import { defaultDataFolder } from '../realm/data-folder.js';
import { print } from './output.js';
import { serversText } from './server-text.js';
import { dataOption, readStatus, type FolderOptions } from './status.js';

export function addServersCommand(program: Command): void {
  const servers = program
    .command('servers')
    .description('list the Vice servers of a running realm, stop or start one')
    .option(...dataOption)
    .option(
      '--json',
      'print one JSON object: {"servers": [{"name", "pid", "url", "state", "catchUps", "scrub"}]}',
    )
    .addHelpText(
      'after',
      `
A stopped server stays stopped until it is started here or \`coda up\` is started again.

Examples:
  coda servers
  coda servers stop s2
  coda servers start s2 --json`,
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<FolderOptions>();
      const { servers } = await readStatus(options);
      print(options, { servers }, () => serversText(servers));
    });
  addOrder(servers, 'stop', 'stop one server and wait until it has ended');
  addOrder(servers, 'start', 'start one server and wait until it is ready');
}

function addOrder(servers: Command, order: 'stop' | 'start', description: string): void {
  servers
    .command(`${order} <name>`)
    .description(description)
    .option(...dataOption)
    .option('--json', 'print one JSON object: {"name", "pid", "url", "state"}')
    .addHelpText('after', `\nExamples:\n  coda servers ${order} s2`)
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<FolderOptions>();
      const path = `/servers/${encodeURIComponent(name)}/${order}`;
      const result = await callControlDoor(options.data ?? defaultDataFolder(), 'POST', path);
      print(options, result, () => `${name} is ${order === 'stop' ? 'stopped' : 'running'}`);
    });
}
