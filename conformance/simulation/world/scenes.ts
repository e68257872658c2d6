/** What happens for a while: deeds, and what goes wrong at them, put together of smaller ones. */
import { burst, chatter, look, race, saves, watch } from './deeds.js';
import type { Draft } from './draft.js';
import { absence, alone, crash, powerCut, replay, together } from './troubles.js';

export type Scene = (draft: Draft) => void;

export const some: Scene = (draft) => {
  for (let index = 2 + draft.below(3); index > 0; index -= 1) chatter(draft);
};
export const saving: Scene = (draft) => saves(draft, draft.pick(draft.sessions));
export const bursting: Scene = (draft) => burst(draft, draft.pick(draft.sessions));
export const gatewayCrash: Scene = (draft) => crash(draft, draft.pick(draft.gateways));
export const lonelyCrash: Scene = (draft) => {
  const gateway = draft.pick(draft.gateways);
  if (!draft.isBroken(`alone ${gateway}`)) alone(draft, gateway);
  crash(draft, gateway);
  if (draft.chance(0.4)) replay(draft, gateway);
};
export const lonelyWork: Scene = (draft) => {
  const gateway = draft.pick(draft.gateways);
  alone(draft, gateway);
  for (let index = 1 + draft.below(3); index > 0; index -= 1) {
    if (draft.chance(0.5)) saves(draft, draft.sessionOf(gateway));
    else if (draft.chance(0.3)) burst(draft, draft.sessionOf(gateway));
    else chatter(draft, draft.sessionOf(gateway));
    if (draft.chance(0.3)) chatter(draft);
  }
  if (draft.chance(0.6)) together(draft, gateway, draft.pick([50, 1000]));
};
export const everybodyDies: Scene = (draft) => powerCut(draft, [...draft.servers, ...draft.gateways], true);
export const wrongClock: Scene = (draft) => {
  const at = draft.pick([...draft.servers, ...draft.gateways]);
  const ahead = draft.pick([-31_536_000_000, -3_600_000, 3_600_000, 315_360_000_000]);
  draft.add({ do: 'wall', at, ahead }, 0);
  race(draft);
};
/** All is mended, and after a while all is as if nothing had been. */
export const calm: Scene = (draft) => {
  draft.mend();
  draft.wait(25_000);
  look(draft);
};
export const watching: Scene = (draft) => watch(draft, 4, 50);
export const away: Scene = (draft) => absence(draft, draft.pick([65_000, 65_000, 130_000]));
