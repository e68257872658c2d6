/** `coda disconnect` and `coda reconnect`: planned disconnection of a gateway from servers (Coda: cfs disconnect). */
import type { Command } from 'commander';
import { z } from 'zod';
import { commandName } from '../config/command-name.js';
import { callControlDoor } from '../realm/control-door.js';
import { chooseGateway, gatewayOption, type GatewayOptions } from './gateway-choice.js';
import { print } from './output.js';
import { dataOption } from './status.js';
import { unknownName } from './unknown-name.js';

const resultSchema = z.object({
  servers: z.array(z.object({ name: z.string(), reachable: z.boolean(), planned: z.boolean() })),
});

type Order = 'disconnect' | 'reconnect';

export function addDisconnectCommands(program: Command): void {
  add(program, 'disconnect', 'let a gateway work without the named servers, or without any', [
    'The gateway serves what it has in its cache and logs what is changed; nothing is lost.',
    'It stays so, also over restarts, until `coda reconnect`. Other gateways are not touched.',
  ]);
  add(program, 'reconnect', 'end a planned disconnection, from the named servers or from all', [
    'What was changed meanwhile is sent in the background; `coda status` shows how far it is.',
  ]);
}

function add(program: Command, order: Order, description: string, help: readonly string[]): void {
  program
    .command(`${order} [server...]`)
    .description(description)
    .option(...dataOption)
    .option(...gatewayOption)
    .option('--json', 'print one JSON object: {"gateway", "servers": [{"name", "reachable", "planned"}]}')
    .addHelpText(
      'after',
      `
${help.join('\n')}

Examples:
  coda ${order}
  coda ${order} s1 s2
  coda ${order} --gateway g2 --json`,
    )
    .action(async (names: string[], _options: unknown, command: Command) => {
      await run(order, names, command.optsWithGlobals<GatewayOptions>());
    });
}

async function run(order: Order, names: readonly string[], options: GatewayOptions): Promise<void> {
  const gateway = await chooseGateway(options);
  const known = gateway.status.servers.map(({ name }) => name);
  for (const name of names) if (!known.includes(name)) throw unknownName('server', name, known);
  const reply = await callControlDoor(gateway.folder, 'POST', `/${order}`, { servers: names });
  const { servers } = resultSchema.parse(reply);
  print(options, { gateway: gateway.name, servers }, () => {
    const chosen = names.length === 0 ? 'all servers' : names.join(', ');
    const end = `end it with: ${commandName()} reconnect --gateway ${gateway.name}`;
    if (order === 'disconnect') return `${gateway.name} is disconnected from ${chosen}; ${end}`;
    return `${gateway.name} connects to ${chosen} again; ${commandName()} status shows what is sent`;
  });
}
