/** `coda export`: a tree of the share into a folder of this machine, or into a tar. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { OperatorError } from '../config/operator-error.js';
import { userOption } from './conflicts.js';
import { chooseGateway, gatewayOption, type GatewayOptions } from './gateway-choice.js';
import { bytesText, print, progress } from './output.js';
import { dataOption } from './status.js';
import type { TreeObject } from '../realm/tree-object.js';
import { breakOff, endingOfCopy, onBreak } from './tree/ending.js';
import { countShare, ExportRun, type TreeSink } from './tree/export-run.js';
import { FolderSink } from './tree/folder-sink.js';
import { Lanes } from './tree/lanes.js';
import { sharePlace, type SharePlace } from './tree/share-place.js';
import { ShareTree, TreeRefusal } from './tree/share-tree.js';
import { TarSink } from './tree/tar-sink.js';
import { TreeProgress } from './tree/tree-progress.js';
import { TreeReport } from './tree/tree-report.js';
import { countText, shown } from './words.js';

interface ExportOptions extends GatewayOptions {
  readonly user: string;
  readonly replace?: boolean;
  readonly verify?: boolean;
}

export function addExportCommand(program: Command): void {
  program
    .command('export <place> <target>')
    .description('copy VOLUME or VOLUME:/PATH out of the share, into a folder or a file that ends in .tar')
    .option(...dataOption)
    .option(...gatewayOption)
    .option(...userOption)
    .option('--replace', 'what is there and differs is replaced (default: it stays, and is listed)')
    .option('--verify', 'compare contents, also where size and time are the same')
    .option('--json', 'print one JSON object at the end')
    .addHelpText(
      'after',
      `
Into a folder: run again, it goes on where it was, as \`coda import\` does. Each file has its name when it is whole:
its bytes are compared with the digest that the share told. Nothing in the folder is ever removed, and nothing is
written outside it: a symbolic link in it is never followed. Properties (WebDAV) go into .coda-properties.jsonl at
its root, one JSON object a line: {"path", "properties": {"{namespace}name": XML}}; \`coda import\` gives them back.

Into a tar: POSIX (pax), with the properties in the pax record CODA.properties. It has its name when it is whole; broken
off, what is whole of it stays beside it (FILE.tar.MARK.part), and run again it goes on from there.

Volumes that are mounted below come along, as they are seen; /.coda does not. Of a file in conflict every version
that is seen is a file. The exit code is 4 if anything was not copied.

JSON: {"gateway", "volume", "path", "target", "copied": {"files", "folders", "links", "bytes"},
       "passedOver": {the same}, "refused": [{"path", "reason"}], "refusals"}

Examples:
  coda export root:/projects ~/projects
  coda export root backup.tar --user ann`,
    )
    .action(async (place: string, target: string, _options: unknown, command: Command) => {
      await exportPlace(place, target, command.optsWithGlobals<ExportOptions>());
    });
}

async function exportPlace(given: string, target: string, options: ExportOptions): Promise<void> {
  const gateway = await chooseGateway(options);
  const place = sharePlace(given, gateway);
  const share = new ShareTree(gateway.folder, options.user);
  const top = await openSource(share, place);
  const replace = options.replace === true;
  const rules = { replace, verify: options.verify === true };
  const isTar = target.endsWith('.tar');
  // A sink says how many lanes there are, and asks them whether to stop.
  let lanes: Lanes | undefined;
  const sink: TreeSink = isTar
    ? await TarSink.open(target, replace, () => lanes?.check())
    : await FolderSink.open(resolve(target), rules, () => lanes?.check());
  lanes = new Lanes(sink.lanes);
  const stop = onBreak(() => lanes.fail(breakOff()));
  const report = new TreeReport();
  const broken = await copy({ share, sink, report, lanes }, top, `${place.text} to ${target}`).then(
    () => undefined,
    (why: unknown) => ({ why }),
  );
  stop();
  const path = `/${place.path.join('/')}`;
  const where = { gateway: gateway.name, volume: place.volume, path, target: resolve(target) };
  print(options, { ...where, ...report.plain() }, () => report.text());
  endingOfCopy(report, broken, 0, gateway.name);
}

async function copy(
  world: {
    readonly share: ShareTree;
    readonly sink: TreeSink;
    readonly report: TreeReport;
    readonly lanes: Lanes;
  },
  top: TreeObject,
  what: string,
): Promise<void> {
  const { share, sink, lanes } = world;
  try {
    const all = await countShare(share, top, () => lanes.check());
    progress(`${shown(what)}: ${countText(all.files, 'file')}, ${bytesText(all.bytes)}`);
    const told = new TreeProgress(all);
    await new ExportRun({ ...world, progress: told }).run(top).finally(() => told.end());
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

/** @throws OperatorError refused: there is no such folder */
async function openSource(share: ShareTree, { path, text }: SharePlace): Promise<TreeObject> {
  const { object } = await share.find(path, false).catch((error: unknown) => {
    if (error instanceof TreeRefusal && error.kind !== 'not-found') {
      throw new OperatorError('refused', `${text} cannot be read: ${error.message}`, { cause: error });
    }
    if (error instanceof TreeRefusal) return { object: null };
    throw error;
  });
  if (object?.kind === 'directory') return object;
  if (object !== null)
    throw new OperatorError('refused', `${text} is no folder; give the folder that it is in.`);
  throw new OperatorError('refused', `There is no ${text}. Give a folder of the share, as root:/docs.`);
}
