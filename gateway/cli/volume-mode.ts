/** `coda write-disconnected` and `coda write-through`: whether a gateway sends changes later or at once. */
import type { Command } from 'commander';
import { z } from 'zod';
import { callControlDoor } from '../realm/control-door.js';
import { chooseGateway, gatewayOption, type GatewayOptions } from './gateway-choice.js';
import { print } from './output.js';
import { dataOption } from './status.js';
import { unknownName } from './unknown-name.js';

interface ModeOptions extends GatewayOptions {
  readonly volume?: string;
}

const mode = z.enum(['write-through', 'write-disconnected']);
type Mode = z.infer<typeof mode>;
const resultSchema = z.object({ volumes: z.array(z.object({ name: z.string(), mode })) });

export function addVolumeModeCommands(program: Command): void {
  add(
    program,
    'write-disconnected',
    'let a gateway log changes on its own disk and send them later',
    'For a slow link: who saves waits for the disk of the gateway only, and what is saved again soon is sent once.',
  );
  add(
    program,
    'write-through',
    'let a gateway send each change at once, as is usual',
    'A change is acknowledged when servers have it. What still waits is sent first.',
  );
}

function add(program: Command, order: Mode, description: string, help: string): void {
  program
    .command(order)
    .description(description)
    .option(...dataOption)
    .option(...gatewayOption)
    .option('--volume <name>', 'only this volume (default: all)')
    .option('--json', 'print one JSON object: {"gateway", "volumes": [{"name", "mode"}]}')
    .addHelpText(
      'after',
      `
${help}
It stays so, also over restarts.

Examples:
  coda ${order}
  coda ${order} --volume root --gateway g2`,
    )
    .action(async (_options: unknown, command: Command) => {
      await run(order, command.optsWithGlobals<ModeOptions>());
    });
}

async function run(order: Mode, options: ModeOptions): Promise<void> {
  const gateway = await chooseGateway(options);
  const known = gateway.status.volumes.map(({ name }) => name);
  const { volume } = options;
  if (volume !== undefined && !known.includes(volume)) throw unknownName('volume', volume, known);
  const body = { volume: volume ?? null, mode: order };
  const { volumes } = resultSchema.parse(await callControlDoor(gateway.folder, 'POST', '/volume-mode', body));
  print(options, { gateway: gateway.name, volumes }, () =>
    volumes.map(({ name, mode: now }) => `${gateway.name}, volume ${name}: ${now}`).join('\n'),
  );
}
