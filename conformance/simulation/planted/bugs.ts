/** Bugs that the laws must find: of single hosts, of promises, and of what servers take. */
import { bug, bugOf, type PlantedBug } from './bug.js';

export const durability: readonly PlantedBug[] = [
  bug(
    'store-answers-early',
    'a transaction is answered before its flush',
    'vice/seam/group-commit.js',
    'await this.#base.commit(this.#closed.changes);',
    'void this.#base.commit(this.#closed.changes).catch(() => undefined);',
  ),
  bug(
    'transaction-torn',
    'of every transaction with more than four rows the last one stays behind',
    'vice/seam/twin/memory-store.js',
    '#apply(changes) {',
    '#apply(changes) {\n        const rows = [...changes.entries()];\n' +
      '        if (rows.length > 4) changes.delete(rows.at(-1)[0]);',
  ),
  bug(
    'directory-not-flushed',
    'after a crash the newest container has no name: its directory was never flushed',
    'vice/seam/twin/memory-containers.js',
    "this.#state = 'crashed';\n        if (keepsRunning)",
    "this.#state = 'crashed';\n        this.#files.delete([...this.#files.keys()].at(-1) ?? '');\n" +
      '        if (keepsRunning)',
  ),
  bug(
    'log-answers-early',
    'a disconnected change is answered before the log is flushed',
    'venus/reintegration/reintegrator.js',
    "volume.signal('logged');\n            await modifyLog.durable();",
    "volume.signal('logged');",
  ),
  bug(
    'identity-not-kept',
    'the counters of a gateway begin anew with each start: it repeats them',
    'venus/store/identity.js',
    'limit + gap + 1',
    '1',
  ),
  bug(
    'lock-not-kept',
    'a lock lives in memory only',
    'venus/store/lease-table.js',
    'this.#buffer.put(`x/${lease.token}`, seal(checked.data));',
    '',
  ),
  bug(
    'log-entry-leaves-early',
    'an entry leaves the log when it was offered, whatever became of it',
    'venus/reintegration/reintegrator.js',
    'const watermark = modifyLog.oldestCounter(records) ?? identity.nextCounter;',
    'const watermark = modifyLog.oldestCounter(records) ?? identity.nextCounter;\n' +
      '            for (const entry of entries) if (entry.acknowledged) modifyLog.remove(entry);',
  ),
  bug(
    'copy-without-contents',
    'a copy enters the log although its contents are not on the disk of the gateway',
    'venus/change/changes.js',
    '(isNeeded ? data : null)',
    'null',
  ),
];

export const upkeep: readonly PlantedBug[] = [
  bug(
    'contents-never-collected',
    'a server keeps the contents that no file needs any more',
    'vice/store/container-references.js',
    'if (this.#isNeeded(digest) || this.#removals.has(digest))',
    'if (true)',
  ),
  bug(
    'spool-left',
    'a body that was given up stays on the disk half written',
    'venus/change/file-writer.js',
    'await this.#spool.abort();',
    'if (false) await this.#spool.abort();',
  ),
  bug(
    'never-redials',
    'a gateway that did not find a server at once looks for it again in ten minutes',
    'venus/remote/server-link.js',
    'pause = Math.min(pause * 2, redialMs.most);',
    'pause = 600_000;',
  ),
];

export const callbacks: readonly PlantedBug[] = [
  bug(
    'break-dropped',
    'a server does not break the promises of others when a gateway changes something',
    'vice/server/callback-promises.js',
    'if (watchers === undefined)\n            return;\n        for',
    'if (watchers === undefined || change.speaker !== undefined)\n            return;\n        for',
  ),
  bug(
    'break-ignored',
    'a gateway hears a break and believes its cache all the same',
    'venus/volume/volume.js',
    'this.#world.cache.suspect(fid);',
    '',
  ),
  bug(
    'unheard-believed',
    'what was validated while a server was away is believed when that server is there again',
    'venus/volume/volume.js',
    'if (isSound && object.unheard.length === 0)',
    'if (isSound)',
  ),
  bugOf(
    'stragglers-awaited',
    'everybody waits for a server whose disk has come to a halt (AA-1, AA-2)',
    [
      {
        file: 'venus/volume/ask-all.js',
        find: 'patience ??= clock.after(stragglerMs, giveUpStragglers);',
        replace: '',
      },
      { file: 'venus/volume/ask-all.js', find: "if (kind === 'timeout')", replace: 'if (false)' },
      { file: 'venus/volume/fetch.js', find: '{ timeoutMs: partMs }', replace: 'undefined' },
    ],
    'slow disks',
  ),
  bug(
    'watch-says-nothing',
    'a gateway that returns is not told what has changed meanwhile',
    'vice/server/promising.js',
    'since === null ? null : replica.changedSince(since, incarnation)',
    'since === null ? null : []',
  ),
  bug(
    'older-version-shown',
    'of the versions that servers tell the older one is taken',
    'venus/volume/collate.js',
    "case 'dominant':\n            return other;",
    "case 'dominant':\n            return best;",
  ),
];

export const certification: readonly PlantedBug[] = [
  bug(
    'conflict-not-seen',
    'contents that the author had not seen are replaced',
    'vice/volume/certify.js',
    "return record.op === 'store' || record.op === 'remove';",
    'return false;',
  ),
  bug(
    'staleness-not-seen',
    'a replica that lacks what the author had seen takes the record all the same',
    'vice/volume/certify.js',
    'base !== undefined && !isWithin(base, look(fid)?.status.known ?? nothing)',
    'false',
    'lagging replicas',
  ),
  bug(
    'applied-twice',
    'a record that was applied is applied again when it is repeated',
    'vice/volume/apply-batch.js',
    'rights.passed(record);\n                continue;',
    'rights.passed(record);\n' +
      '                countOnce(transaction, record, context.replica);\n                continue;',
  ),
  bug(
    'applied-late-again',
    'what a server need not remember singly any more it takes for new when it comes again late (COP1)',
    'vice/store/update-rows.js',
    'counter < this.#reader.watermark(venus) || ',
    '',
    'lossy network',
  ),
  bug(
    'batch-half-applied',
    'a batch is applied up to the record that is refused, and called applied',
    'vice/volume/apply-batch.js',
    'throw new BatchRefused(index, error);',
    'if (index === 0) throw new BatchRefused(index, error);\n            break;',
  ),
  bug(
    'watermark-too-high',
    'a gateway says that no counter below its next one will come again, though changes wait',
    'venus/reintegration/reintegrator.js',
    'modifyLog.oldestCounter(records) ?? identity.nextCounter',
    'identity.nextCounter',
  ),
  bug(
    'expectation-ignored',
    'an overwrite does not look whether the file is still the version that its author saw',
    'venus/change/expectation.js',
    'if (version !== expectation.version)',
    'if (false)',
  ),
  bug(
    'restored-goes-on',
    'a gateway does not notice that its disk is an old copy',
    'venus/store/identity.js',
    'return lives.some(',
    'return true || lives.some(',
    'restored gateways',
  ),
  bug(
    'copy-keeps-its-name',
    'a data folder that is a copy goes on under the name of the one that it is a copy of (ID-3)',
    'venus/store/identity.js',
    'const isMoved = parsed !== undefined &&',
    'const isMoved = false && parsed !== undefined &&',
    'restored gateways',
  ),
  bug(
    'removal-looks-again',
    'what has come into a folder while it is removed goes with it (GU-1)',
    'venus/change/look.js',
    'if (this.#seen?.get(status.fid) === versionsIn(status))',
    'if (true)',
    'calm office',
  ),
  bug(
    'not-settled',
    'what the log has answered for is sent as if its author could look again',
    'venus/reintegration/batch.js',
    'if (!acknowledged)',
    'if (acknowledged || !acknowledged)',
  ),
];
