/** A gateway's volumes as a person sees them at a glance, and below what asks for attention. Pure. */
import type { GatewayStatus, VolumeStatus } from '../realm/status.js';
import { bytesText } from './output.js';
import { countText, durationText, shown } from './words.js';

/** Share of a bound from which on it is worth a line. */
const near = 0.8;

const stateWords: Readonly<Record<VolumeStatus['state'], string>> = {
  hoarding: 'connected',
  'write-disconnected': 'changes are sent later',
  emulating: 'disconnected',
  reintegrating: 'sending changes',
  resolving: 'resolving',
};

/** "emulating (disconnected)". */
export function stateText({ state }: VolumeStatus): string {
  return `${state} (${stateWords[state]})`;
}

/** "12 changes (3 MiB) wait, the oldest since 14 min"; `now` in milliseconds since 1970. */
export function pendingText(volume: VolumeStatus, now: number): string {
  const { pendingRecords, pendingBytes, oldestPending } = volume;
  if (pendingRecords === 0) return 'nothing';
  const size = pendingBytes === 0 ? '' : ` (${bytesText(pendingBytes)})`;
  const wait = `${countText(pendingRecords, 'change')}${size} ${pendingRecords === 1 ? 'waits' : 'wait'}`;
  if (oldestPending === null) return wait;
  return `${wait}, the oldest since ${durationText(now - oldestPending)}`;
}

/** Lines about what is going on, what is near a bound and what a person must decide. */
export function attentionLines(gateway: GatewayStatus, now: number, command: string): string[] {
  const planned = gateway.servers.filter((server) => server.planned).map(({ name }) => name);
  const lines = gateway.volumes.flatMap((volume) => volumeLines(gateway, volume, now, command));
  const own = `--gateway ${gateway.name}`;
  for (const { name, keptRecords } of gateway.deletedVolumes) {
    const what = `${countText(keptRecords, 'change')} of volume ${shown(name)}, which has been deleted,`;
    const are = keptRecords === 1 ? 'is' : 'are';
    lines.push(`${gateway.name}: ${what} ${are} kept here; see: ${command} log ${own}`);
  }
  if (gateway.conflicts > 0) {
    lines.push(
      `${gateway.name}: ${countText(gateway.conflicts, 'conflict')} to decide; see: ${command} conflicts ${own}`,
    );
  }
  if (planned.length === 0) return lines;
  const where = `disconnected on purpose from ${planned.join(', ')}`;
  return [`${gateway.name}: ${where}; end it with: ${command} reconnect --gateway ${gateway.name}`, ...lines];
}

function volumeLines(gateway: GatewayStatus, volume: VolumeStatus, now: number, command: string): string[] {
  const lines: string[] = [];
  const own = `--gateway ${gateway.name}`;
  if (volume.replay !== null) lines.push(replayText(volume, volume.replay, now));
  if (volume.mode === 'write-disconnected') {
    lines.push(`changes are sent later, as was ordered; end it with: ${command} write-through ${own}`);
  } else if (volume.weak) {
    lines.push('the links to the servers are slow, so changes are sent later, as the links allow');
  }
  const limit = limitText(volume);
  if (limit !== undefined) lines.push(limit);
  if (volume.awaitedLogins.length > 0) {
    const [user = '', ...others] = volume.awaitedLogins;
    const who = others.length === 0 ? shown(user) : `${shown(user)} and ${others.length} more`;
    lines.push(`changes wait for ${who} to log in again; see: ${command} log ${own}`);
  }
  if (volume.keptRecords > 0) {
    const are =
      volume.keptRecords === 1 ? 'was refused by the servers and is' : 'were refused by the servers and are';
    lines.push(`${countText(volume.keptRecords, 'change')} ${are} kept here; see: ${command} log ${own}`);
  }
  if (volume.hidesNames) {
    const where = volume.path === null ? 'the directory that it is mounted on' : `/${volume.path.join('/')}`;
    const unmount = `${command} volume unmount ${volume.name}`;
    lines.push(`it covers what was put into ${where} itself; to see that again: ${unmount}`);
  }
  if (volume.lastError !== null) lines.push(`the last error: ${volume.lastError}`);
  return lines.map((line) => `${gateway.name}, volume ${volume.name}: ${line}`);
}

type Replay = NonNullable<VolumeStatus['replay']>;

function replayText(volume: VolumeStatus, replay: Replay, now: number): string {
  const { since, doneRecords, doneBytes, recordsPerSecond, bytesPerSecond } = replay;
  const done = `${countText(doneRecords, 'change')} (${bytesText(doneBytes)}) sent in ${durationText(now - since)}`;
  const rate = `${recordsPerSecond.toFixed(1)} changes/s, ${bytesText(bytesPerSecond)}/s`;
  const left = secondsLeft(volume, replay);
  const end = left === undefined ? '' : `, about ${durationText(left * 1000)} left`;
  return `${done}, ${volume.pendingRecords} to go, ${rate}${end}`;
}

/** By the slower of records and bytes; undefined while nothing moves. */
function secondsLeft(volume: VolumeStatus, { recordsPerSecond, bytesPerSecond }: Replay): number | undefined {
  const records = remaining(volume.pendingRecords, recordsPerSecond);
  const bytes = remaining(volume.pendingBytes, bytesPerSecond);
  const seconds = Math.max(records, bytes);
  return Number.isFinite(seconds) ? seconds : undefined;
}

function remaining(amount: number, perSecond: number): number {
  return amount === 0 ? 0 : amount / perSecond;
}

function limitText({
  pendingRecords,
  limitRecords,
  pendingBytes,
  limitBytes,
}: VolumeStatus): string | undefined {
  const ofRecords = pendingRecords / limitRecords;
  const ofBytes = pendingBytes / limitBytes;
  const share = Math.max(ofRecords, ofBytes);
  if (!(share >= near)) return undefined;
  const bound = ofBytes >= ofRecords ? bytesText(limitBytes) : countText(limitRecords, 'change');
  const what = share >= 1 ? 'new contents are refused' : 'at the bound new contents are refused';
  const used = `${Math.floor(share * 100)} % of the ${bound} that may wait`;
  return `${used}: ${what}; reconnect it, or remove what is not needed`;
}
