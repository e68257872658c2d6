/** The access lists that a gateway shows and sets, through its control door: a command for each would take minutes. */
import { accessSchema } from '../../gateway/realm/access-orders.js';
import { callControlDoor } from '../../gateway/realm/control-door.js';
import { realmPaths } from '../../gateway/realm/realm-folder.js';
import { parseRights, rightsText } from '../../vice/interface/index.js';
import type { AccessLists } from './pairs.js';

/** What each of two people grants the user bob. */
const granted: Readonly<Record<string, string>> = { g1: 'rlw', g2: 'rli' };

export function accessListsOf(data: string, gateway: string, user: string): AccessLists {
  const ask = async (order: 'get' | 'set', body: object): Promise<ReturnType<typeof accessSchema.parse>> => {
    const reply = await callControlDoor(realmPaths(data).gateway(gateway), 'POST', `/access/${order}`, {
      user,
      ...body,
    });
    return accessSchema.parse(reply);
  };
  return {
    async set(path, who) {
      const rights = { [user]: parseRights('all') ?? 0, bob: parseRights(granted[who] ?? '') ?? 0 };
      await ask('set', { path, list: { positive: rights, negative: {} } });
    },
    async of(path) {
      const { own, lists } = await ask('get', { path });
      const texts = lists.map((list) =>
        list === null ? 'none' : `bob ${rightsText(list.positive['bob'] ?? 0)}`,
      );
      return own ? ` [${texts.sort().join(' and ')}]` : '';
    },
  };
}
