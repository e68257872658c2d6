/** `coda import`: a tree of this machine into the share. */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { volumeOf, type Fid } from '../../venus/interface.js';
import { commandName } from '../config/command-name.js';
import { messageOf, OperatorError } from '../config/operator-error.js';
import { userOption } from './conflicts.js';
import { chooseGateway, gatewayOption, type GatewayOptions } from './gateway-choice.js';
import { bytesText, print, progress } from './output.js';
import { dataOption } from './status.js';
import { drained, unsentText } from './tree/drain.js';
import { breakOff, endingOfCopy, onBreak } from './tree/ending.js';
import { countLocal, ImportRun, type ImportTarget } from './tree/import-run.js';
import { Lanes } from './tree/lanes.js';
import { readProperties } from './tree/property-file.js';
import { sent, type Asked } from './tree/sending.js';
import { sharePlace, type SharePlace } from './tree/share-place.js';
import { ShareTree, TreeRefusal } from './tree/share-tree.js';
import { propertiesName } from './tree/tree-name.js';
import { say, TreeProgress } from './tree/tree-progress.js';
import { TreeReport } from './tree/tree-report.js';
import { countText, shown } from './words.js';

interface ImportOptions extends GatewayOptions {
  readonly user: string;
  readonly replace?: boolean;
  readonly verify?: boolean;
}

/** Files on their way at a time: small ones wait for the servers' disks, each for its own. */
const filesAtOnce = 8;

export function addImportCommand(program: Command): void {
  program
    .command('import <folder> <place>')
    .description('copy a folder of this machine into the share: VOLUME or VOLUME:/PATH')
    .option(...dataOption)
    .option(...gatewayOption)
    .option(...userOption)
    .option('--replace', 'a file that is there and differs is replaced (default: it stays, and is listed)')
    .option('--verify', 'compare contents, also where size and time are the same')
    .option('--json', 'print one JSON object at the end')
    .addHelpText(
      'after',
      `
What is in FOLDER comes into the folder PATH of the volume, which is made if it is missing. Times are kept. Run again,
it goes on where it was: what is there with the same size and time is passed over; where only the time differs
contents are compared. Nothing in the share is ever removed.

Symbolic links are kept as links (WebDAV clients list them and cannot open them). Sockets, pipes, devices and names that
the share cannot take are listed. Not kept: owners, permission bits, hard links, extended attributes.
A file .coda-properties.jsonl that \`coda export\` has written is not copied: its properties (WebDAV) are given back.

At the end it waits until the servers have everything; Ctrl-C ends that, and the gateway goes on by itself.
The exit code is 4 if anything was not copied.

JSON: {"gateway", "volume", "path", "copied": {"files", "folders", "links", "bytes"}, "passedOver": {the same},
       "refused": [{"path", "reason"}], "refusals", "sent", "waiting", "kept"}
"refused" names at most 1000, "refusals" counts all. "waiting": changes that the servers do not have yet, null when it
was broken off; "kept": that they refused for good.

Examples:
  coda import ~/projects root:/projects
  coda import /srv/old-share root --replace --verify --user ann`,
    )
    .action(async (folder: string, place: string, _options: unknown, command: Command) => {
      await importFolder(folder, place, command.optsWithGlobals<ImportOptions>());
    });
}

async function importFolder(folder: string, given: string, options: ImportOptions): Promise<void> {
  const local = resolve(folder);
  await mustBeFolder(local, folder);
  const gateway = await chooseGateway(options);
  const place = sharePlace(given, gateway);
  const share = new ShareTree(gateway.folder, options.user);
  const target = await openTarget(share, place);
  const [report, lanes] = [new TreeReport(), new Lanes(filesAtOnce)];
  const stop = onBreak(() => lanes.fail(breakOff()));
  const all = await countLocal(local, () => lanes.check());
  progress(
    `${shown(folder)}: ${countText(all.files, 'file')}, ${bytesText(all.bytes)}, to ${shown(place.text)}`,
  );
  const properties = await readProperties(join(local, propertiesName));
  for (const fault of properties.faults) report.refuse(propertiesName, fault);
  const volumes = new Set([place.id]);
  const ask: Asked = () => share.pending([...volumes]);
  const told = new TreeProgress(all);
  const run = new ImportRun({
    share,
    report,
    lanes,
    progress: told,
    rules: { replace: options.replace === true, verify: options.verify === true },
    properties: properties.of,
    waitForRoom: () => roomMade(ask, options.user, () => lanes.check()),
    enters: (fid) => void volumes.add(volumeOf(fid as Fid)),
  });
  const broken = await run.run(local, target).then(
    () => undefined,
    (why: unknown) => ({ why }),
  );
  told.end();
  stop();
  const keptBefore = gateway.status.volumes
    .filter(({ id }) => volumes.has(id))
    .reduce((sum, { keptRecords }) => sum + keptRecords, 0);
  const end = broken === undefined ? await sent(ask, options.user, keptBefore) : undefined;
  const result = { sent: end?.isSent ?? false, waiting: end?.last.changes ?? null, kept: end?.kept ?? 0 };
  const path = `/${place.path.join('/')}`;
  print(options, { gateway: gateway.name, volume: place.volume, path, ...report.plain(), ...result }, () => {
    if (end === undefined) return report.text();
    const unsent = (): string => unsentText(gateway.name, commandName(), end);
    return `${report.text()}\n${end.isSent ? 'The servers have everything.' : unsent()}`;
  });
  endingOfCopy(report, broken, result.kept, gateway.name);
}

async function mustBeFolder(local: string, given: string): Promise<void> {
  try {
    if ((await stat(local)).isDirectory()) return;
  } catch (cause) {
    throw new OperatorError('usage', `${given} cannot be read: ${messageOf(cause)}. Give a folder.`, {
      cause,
    });
  }
  throw new OperatorError('usage', `${given} is no folder. Give the folder that it is in.`);
}

async function openTarget(share: ShareTree, { path, text }: SharePlace): Promise<ImportTarget> {
  const { object, made, isShare } = await share.find(path, true).catch((error: unknown) => {
    if (!(error instanceof TreeRefusal)) throw error;
    throw new OperatorError('refused', `${text} cannot be written to: ${error.message}`, { cause: error });
  });
  if (object?.kind !== 'directory') throw new OperatorError('refused', `${text} is a file; give a folder.`);
  return { path, object, isNew: made > 0, isShare };
}

/** One wait for all that do not find room: until half of what waited is sent. */
let waiting: Promise<boolean> | undefined;
function roomMade(ask: Asked, user: string, check: () => void): Promise<boolean> {
  const wait = async (): Promise<boolean> => {
    const { changes } = await ask();
    const isEnough = (state: { readonly changes: number }): boolean => state.changes <= changes / 2;
    const stopped = (): boolean => {
      check();
      return false;
    };
    const { last } = await drained(ask, systemClock(), { keptBefore: 0, user, stopped, tell: say, isEnough });
    return changes > 0 && isEnough(last);
  };
  waiting ??= wait().finally(() => (waiting = undefined));
  return waiting;
}
