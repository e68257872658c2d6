/** `coda resolvers`: whether a gateway runs commands that merge files, and which (Coda: cfs enableasr, disableasr). */
import type { Command } from 'commander';
import { callControlDoor } from '../realm/control-door.js';
import { resolversSchema, type ResolversOf } from '../realm/resolver-orders.js';
import { chooseGateway, gatewayOption, type GatewayOptions } from './gateway-choice.js';
import { print, table } from './output.js';
import { dataOption } from './status.js';
import { shown } from './words.js';

export function addResolversCommand(program: Command): void {
  const resolvers = program
    .command('resolvers')
    .description('commands that merge files which were changed apart: on, off, status');
  add(resolvers, 'status', 'show whether they run, and which rules there are', undefined);
  add(resolvers, 'on', 'run them again', true);
  add(resolvers, 'off', 'run none: what is in conflict waits for people', false);
}

function add(parent: Command, name: string, description: string, on: boolean | undefined): void {
  parent
    .command(name)
    .description(description)
    .option(...dataOption)
    .option(...gatewayOption)
    .option('--json', 'print one JSON object: {"gateway", "on", "rules": [{"match", "command"}], "failures"}')
    .addHelpText(
      'after',
      `
Rules come from the file that \`coda up --resolvers FILE\` names. Off holds for one gateway, at once and over
restarts, until it is switched on; what a command was just making is not taken.

Examples:
  coda resolvers ${name}
  coda resolvers ${name} --gateway g2`,
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GatewayOptions>();
      const gateway = await chooseGateway(options);
      const order = on === undefined ? {} : { on };
      const reply = resolversSchema.parse(await callControlDoor(gateway.folder, 'POST', '/resolvers', order));
      print(options, { gateway: gateway.name, ...reply }, () => textOf(gateway.name, reply));
    });
}

function textOf(gateway: string, { on, rules, failures }: ResolversOf): string {
  if (rules.length === 0) return `${gateway}: there are no rules, so no resolver is ever run`;
  const failed = failures === 0 ? '' : `, failed for ${failures} file${failures === 1 ? '' : 's'}`;
  const rows = rules.map(({ match, command }) => [`  ${shown(match)}`, shown(command.join(' '))]);
  return `${gateway}: resolvers are ${on ? 'on' : 'off'}${failed}\n${table(rows)}`;
}
