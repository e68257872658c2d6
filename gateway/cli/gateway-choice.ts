/** Which gateway a command means, and where its control door is. */
import { OperatorError } from '../config/operator-error.js';
import { defaultDataFolder, readOwner } from '../realm/data-folder.js';
import { realmPaths } from '../realm/realm-folder.js';
import type { GatewayStatus } from '../realm/status.js';
import { onlyGateway, readStatus, type FolderOptions } from './status.js';

export interface GatewayOptions extends FolderOptions {
  readonly gateway?: string;
}

export const gatewayOption = ['--gateway <name>', 'which gateway, where a realm has several'] as const;

export interface ChosenGateway {
  readonly name: string;
  /** Its data folder, with its control door. */
  readonly folder: string;
  readonly status: GatewayStatus;
}

/** The one gateway that a command speaks to. @throws OperatorError refused, usage, unreachable */
export async function chooseGateway(options: GatewayOptions): Promise<ChosenGateway> {
  const data = options.data ?? defaultDataFolder();
  const { gateways } = onlyGateway(await readStatus(options), options.gateway);
  const [status, other] = gateways;
  if (status === undefined) throw new OperatorError('refused', `No gateway runs on ${data}.`);
  if (other !== undefined) {
    const names = gateways.map(({ name }) => name).join(', ');
    throw new OperatorError('usage', `There are several gateways: ${names}. Say which with --gateway NAME.`);
  }
  if (status.state !== 'running') {
    const advice = 'Try again in a moment; `coda status` shows when it runs.';
    throw new OperatorError('unreachable', `The gateway ${status.name} is ${status.state}. ${advice}`);
  }
  const owner = await readOwner(data);
  const folder = owner?.role === 'realm' ? realmPaths(data).gateway(status.name) : data;
  return { name: status.name, folder, status };
}
