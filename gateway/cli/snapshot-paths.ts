/** `coda volume snapshot restore` with paths: what was in a snapshot, back in the share, through a gateway. */
import { volumeOf, type Fid } from '../../venus/interface.js';
import { commandName } from '../config/command-name.js';
import { OperatorError } from '../config/operator-error.js';
import { chooseGateway, type GatewayOptions } from './gateway-choice.js';
import { print } from './output.js';
import { unsentText } from './tree/drain.js';
import { breakOff, endingOfCopy, onBreak } from './tree/ending.js';
import { Lanes } from './tree/lanes.js';
import { pastLabel } from './tree/past-name.js';
import { PastRun } from './tree/past-run.js';
import { PastTree } from './tree/past-tree.js';
import { sent } from './tree/sending.js';
import { sharePlace } from './tree/share-place.js';
import { ShareTree } from './tree/share-tree.js';
import { TreeReport } from './tree/tree-report.js';
import { shown } from './words.js';

export interface RestorePathsOptions extends GatewayOptions {
  readonly user: string;
  readonly replace?: boolean;
}

/** @throws OperatorError refused: there is no such snapshot, or not all could be put back */
export async function restorePaths(
  volumeName: string,
  snapshot: string,
  paths: readonly string[],
  options: RestorePathsOptions,
): Promise<void> {
  const gateway = await chooseGateway(options);
  const place = sharePlace(volumeName, gateway);
  const share = new ShareTree(gateway.folder, options.user);
  const past = new PastTree(gateway.folder, options.user, snapshot);
  const volume = await past.volume(place.id, place.volume, place.path);
  if (volume === undefined) throw unknown(gateway.name, volumeName, snapshot);
  const [report, lanes] = [new TreeReport(), new Lanes(1)];
  const stop = onBreak(() => lanes.fail(breakOff()));
  const volumes = new Set([place.id]);
  const run = new PastRun({
    share,
    past,
    volume,
    mounted: place.path,
    label: pastLabel(snapshot, volume.time),
    replace: options.replace === true,
    report,
    check: () => lanes.check(),
    enters: (fid) => void volumes.add(volumeOf(fid as Fid)),
  });
  const all = async (): Promise<undefined> => {
    for (const path of paths) await run.restore(path.split('/').filter((name) => name !== ''));
    return undefined;
  };
  const broken = await all().catch((why: unknown) => ({ why }));
  stop();
  const keptBefore = gateway.status.volumes
    .filter(({ id }) => volumes.has(id))
    .reduce((sum, { keptRecords }) => sum + keptRecords, 0);
  const ask = (): ReturnType<ShareTree['pending']> => share.pending([...volumes]);
  const end = broken === undefined ? await sent(ask, options.user, keptBefore) : undefined;
  const { beside } = run;
  const result = { sent: end?.isSent ?? false, waiting: end?.last.changes ?? null, kept: end?.kept ?? 0 };
  const head = { gateway: gateway.name, volume: place.volume, snapshot };
  print(options, { ...head, ...report.plain(), beside, ...result }, () => {
    const lines = [
      report.text(),
      ...beside.map(({ path, name }) => `${shown(path)} is there as "${shown(name)}"`),
    ];
    if (end?.isSent === false) lines.push(unsentText(gateway.name, commandName(), end));
    return lines.join('\n');
  });
  endingOfCopy(report, broken, result.kept, gateway.name);
}

function unknown(gateway: string, volume: string, snapshot: string): OperatorError {
  const message = `${gateway} knows of no snapshot "${shown(snapshot)}" of volume ${shown(volume)}.`;
  return new OperatorError(
    'refused',
    `${message} See: ${commandName()} volume snapshot list ${shown(volume)}`,
  );
}
