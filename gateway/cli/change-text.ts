/** A pending change in words. Pure. */
import type { Change, ChangeRecord } from '../realm/pending-change.js';
import { bytesText, table } from './output.js';
import { countText, shown, timeText } from './words.js';

/** Things that one line names. */
const named = 3;

const verbs: Readonly<Record<string, string>> = {
  create: 'created',
  mkdir: 'made the folder',
  symlink: 'made the link',
  store: 'stored',
  remove: 'removed',
  rmdir: 'removed the folder',
  rename: 'moved to',
  utimes: 'set the time of',
  chmod: 'set the mode of',
  chown: 'set the owner of',
  setprops: 'set properties of',
  setacl: 'set access list of',
};

/** "stored /a/b.txt (12 KiB)", "removed /a.txt, removed the folder /b, and 7 more". */
export function changeText({ records }: Change): string {
  const words = [...joined(records)];
  const more = words.length > named ? [`and ${words.length - named} more`] : [];
  return [...words.slice(0, named), ...more].join(', ');
}

export function changesText(changes: readonly Change[]): string {
  const rows = changes.map((change) => [
    String(change.sequence),
    timeText(change.time),
    shown(change.author),
    change.state,
    changeText(change) + (change.reason === null ? '' : `: ${shown(change.reason)}`),
  ]);
  return table([['NUMBER', 'TIME', 'AUTHOR', 'STATE', 'WHAT'], ...rows]);
}

/** "12 changes wait, 2 are kept". */
export function summaryText(changes: readonly Change[]): string {
  const kept = changes.filter(({ state }) => state === 'kept').length;
  const wait = changes.length - kept;
  const waiting = `${countText(wait, 'change')} ${wait === 1 ? 'waits' : 'wait'} to be sent`;
  return kept === 0 ? waiting : `${waiting}, ${kept} ${kept === 1 ? 'is' : 'are'} kept`;
}

/** A new file and its contents are one thing to say. */
function* joined(records: readonly ChangeRecord[]): Generator<string> {
  for (const [index, record] of records.entries()) {
    const next = records[index + 1];
    if (record.op === 'create' && next?.op === 'store' && next.fid === record.fid) continue;
    const before = records[index - 1];
    const isNew = record.op === 'store' && before?.op === 'create' && before.fid === record.fid;
    yield recordText(record, isNew);
  }
}

function recordText({ op, path, fid, length }: ChangeRecord, isNew: boolean): string {
  const verb = isNew ? 'stored the new file' : (verbs[op] ?? op);
  const what = path === null ? `an object that has no name any more (${fid})` : shown(path);
  return `${verb} ${what}${length === null ? '' : ` (${bytesText(length)})`}`;
}
