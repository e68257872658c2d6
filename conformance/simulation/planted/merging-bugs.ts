/** Bugs in what replicas come to together, and in what gateways show of it. */
import { bug, bugOf, type PlantedBug } from './bug.js';

const needsNoContents = {
  find: 'if (isRemoved(status))\n        return [];\n    return versionsOf',
  replace: "if (isRemoved(status) || status.kind === 'file')\n        return [];\n    return versionsOf",
};

export const merging: readonly PlantedBug[] = [
  bug(
    'merge-drops-version',
    'of two versions that were made apart only one is kept',
    'vice/interface/merge.js',
    'return arranged(merged, versions, places);',
    'return arranged(merged, versions.slice(0, 1), places);',
  ),
  bug(
    'merge-one-sided',
    'a version that only the other replica has is not taken',
    'vice/interface/merge.js',
    'if (!knows(known.a, item.storeId) && !a.some(({ storeId }) => storeId === item.storeId))',
    'if (a.length === 0)',
  ),
  bug(
    'merge-not-commutative',
    'who made the last update depends on who asks whom',
    'vice/interface/merge.js',
    'return order >= 0 ? a : b;',
    'return order === 0 ? b : a;',
  ),
  bug(
    'removal-wins',
    'a removal takes an update along that it did not know of',
    'vice/interface/merge.js',
    'versionsOf(status).every((version) => isCovered(version, gone))',
    'true',
  ),
  bug(
    'names-by-arrival',
    'of two objects that want one name the one that this replica heard of first keeps it',
    'vice/volume/naming.js',
    'otherPlace?.name === place.name && comparePlaces(otherPlace, place) < 0',
    'otherPlace?.name === place.name',
  ),
  bug(
    'circle-not-broken',
    "two directories may become each other's ancestors",
    'vice/volume/settle.js',
    'const circle = circleThrough(transaction, status);',
    'const circle = undefined;',
  ),
  bug(
    'directory-not-revived',
    'what is put into a directory that was removed apart goes down with it',
    'vice/volume/settle.js',
    'return settleToo(transaction, takenBack(row.status), options);',
    'return true;',
  ),
  bug(
    'name-left-behind',
    'an object that moves leaves its old name where it was',
    'vice/volume/naming.js',
    'release(transaction, status.fid, disturbed);\n    const other',
    'const other',
  ),
  bugOf('contents-not-fetched', 'a replica takes over what a peer knows of a file, without its contents', [
    {
      file: 'vice/resolution/object-contents.js',
      find: '.filter((status) => !isRemoved(status))\n        .flatMap',
      replace: '.filter(() => false)\n        .flatMap',
    },
    // Else the merge itself finds that they are missing, and nothing ever comes together.
    { file: 'vice/volume/merge-step.js', ...needsNoContents },
  ]),
  bug(
    'contents-given-up',
    'a replica takes over what a peer knows of a file although its contents could not be fetched',
    'vice/volume/merge-step.js',
    needsNoContents.find,
    needsNoContents.replace,
    'lagging replicas',
  ),
  bug(
    'graves-forgotten',
    'removed objects are forgotten at once, before all replicas have heard of them',
    'vice/resolution/graves.js',
    'if (oldest === undefined || now - oldest.at < this.#graceMs)\n            return 0;',
    'return last;',
  ),
  bug(
    'forgotten-taken-back',
    'what all have forgotten as removed is taken again from an old disk',
    'vice/resolution/resolver.js',
    'const forgotten = await rememberForgotten(replica, peer.id, source.link, fids, world);',
    'const forgotten = new Set();',
    'forgetful servers',
  ),
  bug(
    'all-of-an-old-disk-read',
    'what was made on an old disk passes for what was read of the peer before',
    'vice/interface/history.js',
    'return epoch !== undefined && stamp <= (endIn(mark, epoch.id) ?? 0);',
    'return epoch !== undefined;',
    'forgetful servers',
  ),
  bug(
    'no-epochs',
    'stamps that come again on an old disk pass for the changes that had them before',
    'vice/volume/first-records.js',
    'const epochs = withEpoch(historyOf(meta), epoch, meta.stamp);',
    'const epochs = historyOf(meta);',
    'forgetful servers',
  ),
  bug(
    'cop2-counted-everywhere',
    'the second phase says that all replicas have an update, also those that did not answer',
    'venus/reintegration/reintegrator.js',
    'updates.push({ storeId, replicas: appliedBy });',
    'updates.push({ storeId, replicas: volume.members.map(({ replica }) => replica) });',
  ),
  bug(
    'cop2-counts-itself',
    'a server counts its own update again when it hears of the second phase',
    'vice/volume/cop2.js',
    'replica !== own && group.includes(replica)',
    'group.includes(replica)',
  ),
  bug(
    'cop2-after-resolution',
    'an update that resolution has counted is counted again by the second phase',
    'vice/volume/cop2.js',
    'row.forced >= pending.stamp',
    'false',
  ),
  bug(
    'directories-never-known',
    'resolution never says of a directory that it is complete',
    'vice/resolution/pull.js',
    'for (let start = 0; start < ordered.length; start += stepObjects) {\n            await this.#merge(',
    'for (let start = 0; start < 0; start += stepObjects) {\n            await this.#merge(',
  ),
  bug(
    'removals-unheard',
    'a server that resolves a folder by its names says that it has known what was removed in it (PL-1)',
    'vice/resolution/pull.js',
    'if (!isWhole || !isWithin(',
    'if (!isWhole || false && !isWithin(',
    'lagging replicas',
  ),
  bugOf(
    'removed-taken-back',
    'besides, what that folder has known to be removed is taken from whoever lags (PL-2)',
    [
      {
        file: 'vice/resolution/pull.js',
        find: 'if (!isWhole || !isWithin(',
        replace: 'if (!isWhole || false && !isWithin(',
      },
      {
        file: 'vice/resolution/pull.js',
        find: 'const waits = !this.#takesAll && this.#hasBeenHere(peer);',
        replace: 'const waits = false;',
      },
    ],
  ),
  bug(
    'removed-over-unheard',
    'a removed folder is merged although the peer may have forgotten what is in it here (PL-3)',
    'vice/resolution/pull.js',
    'if (await this.#hasUnheardOf(theirs, removed))',
    'if (false)',
    'forgetful servers',
  ),
  bug(
    'none-stays',
    'alternatives of two sides that say each that it knows those of the other replaced are all dropped (MG-5)',
    'vice/interface/merge.js',
    'if (kept.length > 0 || a.length === 0 || b.length === 0)\n        return kept;',
    'if (true) return kept;',
    'crash-happy gateways',
  ),
];

export const logging: readonly PlantedBug[] = [
  bug(
    'optimizer-drops-mode',
    'setting the time of an object cancels the mode that waits in the log',
    'venus/log/optimize.js',
    "utimes: ['utimes'],",
    "utimes: ['utimes', 'chmod'],",
  ),
  bug(
    'optimizer-drops-store',
    'setting the time of a file cancels the contents that wait in the log',
    'venus/log/optimize.js',
    "utimes: ['utimes'],",
    "utimes: ['utimes', 'store'],",
  ),
  bug(
    'log-out-of-order',
    'the log is replayed from its end',
    'venus/reintegration/batch.js',
    'batch.push(entry);',
    'batch.unshift(entry);',
  ),
  bug(
    'conflict-not-listed',
    'a name conflict is not listed',
    'vice/interface/conflict.js',
    "kinds.push('name');",
    ';',
  ),
  bug(
    'repair-forgotten',
    'the versions that a repair gives up stay',
    'vice/interface/versions.js',
    'if (dismiss.includes(mark))',
    'if (false)',
  ),
  bug(
    'blocks-unchecked',
    'bytes are handed out that do not match their digest',
    'vice/seam/twin/memory-containers.js',
    'if (!blockDigest(bytes).equals(expected))',
    'if (false)',
  ),
  bugOf(
    'not-healed',
    'a server whose copy is damaged does not ask another one',
    [
      {
        file: 'vice/server/downloads.js',
        find: "if (!isFailure(error, 'damaged') || !isNamed(context, digest))\n            throw error;",
        replace: 'throw error;',
      },
      // What was found damaged is set aside; whoever asks again finds nothing, and that is healed, too.
      {
        file: 'vice/server/downloads.js',
        find: "if (!isFailure(error, 'not-found', 'damaged') || !isNamed(context, digest))\n            throw error;",
        replace: 'throw error;',
      },
    ],
    'bad disks',
  ),
  bug(
    'first-reader-not-healed',
    'a server that finds its copy damaged while it is read gives up, and heals it for the next reader only',
    'vice/server/downloads.js',
    "if (!isFailure(error, 'damaged') || !isNamed(context, digest))\n            throw error;",
    'throw error;',
    'bad disks',
  ),
];
