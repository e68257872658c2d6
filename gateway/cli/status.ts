/** `coda status`: what runs on a data folder, and how each gateway sees its servers. */
import type { Command } from 'commander';
import { commandName } from '../config/command-name.js';
import { callControlDoor } from '../realm/control-door.js';
import { defaultDataFolder } from '../realm/data-folder.js';
import { statusSchema, type GatewayStatus, type Status } from '../realm/status.js';
import { bytesText, print, table, type CommonOptions } from './output.js';
import { catchUpLines, damageLines, serversText } from './server-text.js';
import { unknownName } from './unknown-name.js';
import { attentionLines, pendingText, stateText } from './volume-text.js';

export interface FolderOptions extends CommonOptions {
  readonly data?: string;
}

interface StatusOptions extends FolderOptions {
  readonly gateway?: string;
}

const dataDescription = `data folder of the realm (default: ${defaultDataFolder()})`;
export const dataOption = ['--data <dir>', dataDescription] as const;

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('show servers, gateways, volumes and what waits to be sent')
    .option(...dataOption)
    .option('--gateway <name>', 'only this gateway')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
--data may also be the folder of a single \`coda vice\` or \`coda gateway\`.

JSON: {"servers": [{"name", "pid", "url", "state",
                    "catchUps": [{"volume", "peer", "since", "done", "all", "objects"}],
                    "scrub": {"running", "endedAt", "open"}}],
       "gateways": [{"name", "pid", "url", "state",
                     "volumes": [{"id", "name", "state", "vsg", "avsg", "preferred",
                                  "pendingRecords", "pendingBytes", "limitRecords", "limitBytes",
                                  "oldestPending", "keptRecords", "awaitedLogins", "mode", "weak",
                                  "path", "hidesNames",
                                  "replay": {"since", "doneRecords", "doneBytes",
                                             "recordsPerSecond", "bytesPerSecond"}, "lastError"}],
                     "deletedVolumes": [{"id", "name", "keptRecords"}],
                     "servers": [{"name", "address", "reachable", "silence", "planned"}],
                     "cache": {"objects", "containers", "bytes"}, "conflicts"}]}
"state" of a process is stopped, starting, running, waiting (to be started again) or stopping; "pid" is null
while none runs. "state" of a volume is hoarding (connected), write-disconnected, emulating (no server is
reached), reintegrating (what waits is being sent) or resolving. "oldestPending" and "since" are milliseconds
since 1970, or null; "replay" and "lastError" may be null. "path" is where its root is seen, null if nowhere or
not known; "hidesNames" says that it covers a directory with something in it.

Examples:
  coda status
  coda status --gateway g2 --json`,
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<StatusOptions>();
      const status = onlyGateway(await readStatus(options), options.gateway);
      print(options, status, () => statusText(status));
    });
}

/** @throws OperatorError unreachable */
export async function readStatus(options: FolderOptions): Promise<Status> {
  return statusSchema.parse(await callControlDoor(options.data ?? defaultDataFolder(), 'GET', '/status'));
}

/** `status` with the named gateway alone; undefined: with all. @throws OperatorError refused */
export function onlyGateway(status: Status, name: string | undefined): Status {
  if (name === undefined) return status;
  const gateways = status.gateways.filter((gateway) => gateway.name === name);
  if (gateways.length > 0) return { ...status, gateways };
  throw unknownName(
    'gateway',
    name,
    status.gateways.map((gateway) => gateway.name),
  );
}

function statusText(status: Status): string {
  const parts: string[] = [];
  if (status.servers.length > 0) parts.push(serversText(status.servers));
  const catchUps = catchUpLines(status.servers, Date.now());
  if (catchUps.length > 0) parts.push(catchUps.join('\n'));
  const damage = damageLines(status.servers, commandName());
  if (damage.length > 0) parts.push(damage.join('\n'));
  if (status.gateways.length > 0) parts.push(gatewaysText(status.gateways));
  return parts.join('\n\n');
}

function gatewaysText(gateways: readonly GatewayStatus[]): string {
  const processes = gateways.map(({ name, state, pid, url, cache }) => {
    const cached = cache === null ? '-' : `${cache.objects} objects, ${bytesText(cache.bytes)}`;
    return [name, state, String(pid ?? '-'), url, cached];
  });
  const now = Date.now();
  const volumes = gateways.flatMap((gateway) =>
    gateway.volumes.map((volume) => [
      gateway.name,
      volume.name,
      stateText(volume),
      `${volume.avsg.length} of ${volume.vsg.length}: ${volume.avsg.join(' ')}`,
      volume.preferred ?? '-',
      pendingText(volume, now),
    ]),
  );
  const parts = [table([['GATEWAY', 'STATE', 'PID', 'ADDRESS', 'CACHE'], ...processes])];
  const head = ['GATEWAY', 'VOLUME', 'STATE', 'SERVERS REACHED', 'PREFERRED', 'WAITING TO BE SENT'];
  if (volumes.length > 0) parts.push(table([head, ...volumes]));
  const attention = gateways.flatMap((gateway) => attentionLines(gateway, now, commandName()));
  if (attention.length > 0) parts.push(attention.join('\n'));
  return parts.join('\n\n');
}
