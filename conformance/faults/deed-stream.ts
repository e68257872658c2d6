/**
 * What one person does, without end, drawn from a seed by the simulator's own generator (simulation/world/deeds.ts):
 * deeds on a few names that everybody uses. Pure.
 *
 * The generator has a picture of the tree in which all succeeds at once; in the end that is no tree that there is. So
 * every so often it begins anew, with the folders in which everybody meets.
 */
import { chatter } from '../simulation/world/deeds.js';
import { Draft } from '../simulation/world/draft.js';
import type { Deed } from '../simulation/world/scenario.js';
import type { RemoteDeed } from './remote-session.js';

const deedsOfOneDraft = 40;

export function* deedsOf(by: string, seed: number): Generator<RemoteDeed, never> {
  for (let count = 0; ; count += 1) {
    const draft = new Draft({ seed: seed + count, servers: [3], gateways: [2], hot: 2, pauses: [0] });
    while (draft.steps.length < deedsOfOneDraft) chatter(draft, by);
    for (const [index, step] of draft.steps.entries()) {
      const deed = remoteOf(step as Deed, `${count}-${index}`);
      if (deed !== undefined) yield { ...deed, by };
    }
  }
}

/** What can be done with no more than a share. */
function remoteOf(deed: Deed, unique: string): RemoteDeed | undefined {
  const { by } = deed;
  switch (deed.do) {
    case 'setprop':
      return { ...deed, value: `<v>${by} ${unique}</v>` };
    case 'chmod':
    case 'utimes':
      return { do: 'setprop', by, path: deed.path, name: `{x}${deed.do}`, value: `<v>${by} ${unique}</v>` };
    case 'put':
    case 'get':
    case 'list':
    case 'mkdir':
    case 'remove':
    case 'rename':
    case 'copy':
      return deed;
    default:
      return undefined;
  }
}
