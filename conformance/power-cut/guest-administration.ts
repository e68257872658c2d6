/** What an administrator does with the realm inside the machine, by the same ways as the command. */
import { keyMark, type Intention } from '../../vice/interface/index.js';
import type { Administration } from '../../gateway/administration/administration.js';
import { keyLaggards } from '../../gateway/administration/key-standing.js';
import { snapshotsOf, takeSnapshot } from '../../gateway/administration/snapshot-making.js';
import { volumeNamed, withRealm } from '../../gateway/cli/realm-choice.js';
import { realmPaths } from '../../gateway/realm/realm-folder.js';
import { beginRenewal, endRenewal, keysIn } from '../../gateway/setup/realm-key.js';
import type { Deed } from './agent.js';

const volume = 'root';

/**
 * @param data the realm's folder
 * @param server whose replica it is about
 * @param name of a snapshot
 */
export async function administer(data: string, deed: Deed, server: string, name: string): Promise<unknown> {
  if (deed === 'keys') return keyMarks(data);
  return withRealm({ data }, async (administration) => {
    const entry = volumeNamed(await administration.document(), volume);
    switch (deed) {
      case 'take-snapshot':
        return (await takeSnapshot(administration, entry, { name, time: Date.now() })).servers;
      case 'take-snapshot-at':
        await administration.takeSnapshot(server, entry.id, { name, time: Date.now() });
        return [server];
      case 'snapshots':
        return (await snapshotsOf(administration, entry)).snapshots.map(({ name, servers }) => [
          name,
          servers,
        ]);
      case 'add-replica':
        return publish(administration, { change: deed, volume: entry.id, server, replaces: null });
      case 'remove-replica':
        return publish(administration, { change: deed, volume: entry.id, server, lost: false });
      case 'replicas':
        return entry.replicas.map(({ server, state }) => [server, state ?? 'member']);
      case 'renew-key':
        return renewKey(data, administration);
    }
  });
}

async function publish(administration: Administration, intention: Intention): Promise<boolean> {
  return administration.publish(intention);
}

/** Begins a renewal, or ends the one that is under way, when all have got the new key. @returns the keys there are */
async function renewKey(data: string, administration: Administration): Promise<readonly string[]> {
  const file = realmPaths(data).realmKey;
  const [mark = '', ...others] = keyMarks(data);
  if (others.length === 0) await beginRenewal(file);
  else if ((await keyLaggards(administration, mark)).length === 0) await endRenewal(file);
  return keyMarks(data);
}

function keyMarks(data: string): readonly string[] {
  return keysIn(realmPaths(data).realmKey).map(keyMark);
}
