/** Quotas that are met: refused at once, kept while there is no room, and let go when there is. */
import { put } from './deeds.js';
import type { Draft } from './draft.js';
import type { VolumeName } from './scenario.js';
import type { Stage } from './stage.js';
import { alone, crash, together } from './troubles.js';
import { idOf } from './volumes.js';

/** Most files have 40 or 300 bytes: some fit, most do not. */
const small: readonly number[] = [1, 200, 500, 900, 1500];

function pickVolume(draft: Draft): VolumeName {
  return draft.volumes === undefined ? 'root' : draft.pick(['root', 'annex']);
}

function bounds(draft: Draft, volume: VolumeName, ms: number): void {
  draft.breaks(
    `quota ${volume}`,
    { do: 'quota', volume, bytes: draft.pick(small) },
    { do: 'quota', volume, bytes: null },
    ms,
  );
}

/** People fill a volume, make room, and fill it again. */
export function tight(draft: Draft): void {
  const volume = pickVolume(draft);
  bounds(draft, volume, draft.pick([0, 1300, 1300]));
  for (let index = 3 + draft.below(4); index > 0; index -= 1) fill(draft, volume);
  if (draft.chance(0.3)) draft.add({ do: 'quota', volume, bytes: draft.pick(small) }, draft.pick([20, 1300]));
  for (let index = draft.below(4); index > 0; index -= 1) fill(draft, volume);
  if (draft.chance(0.6)) draft.mend(`quota ${volume}`, draft.pick([20, 1300]));
}

function fill(draft: Draft, volume: VolumeName, by = draft.pick(draft.sessions)): void {
  const path = draft.chance(0.5) ? draft.fileOf(volume) : draft.nameOf(volume);
  const ms = draft.pick([2, 20, 60]);
  const dice = draft.fraction();
  if (dice < 0.65) draft.deed(put(draft, by, path), ms);
  else if (dice < 0.85) draft.deed({ do: 'remove', by, path }, ms);
  else draft.deed({ do: 'copy', by, path, to: draft.nameOf(volume) }, ms);
}

/** What a gateway has changed without servers does not fit when it comes back. */
export function kept(draft: Draft): void {
  const gateway = draft.pick(draft.gateways);
  const volume = pickVolume(draft);
  alone(draft, gateway, draft.pick(['plan', 'cut', 'mode']));
  for (let index = 1 + draft.below(4); index > 0; index -= 1) fill(draft, volume, draft.sessionOf(gateway));
  bounds(draft, volume, draft.pick([20, 1300]));
  together(draft, gateway, draft.pick([300, 3000]));
  if (draft.chance(0.3)) crash(draft, gateway);
  for (let index = draft.below(3); index > 0; index -= 1) fill(draft, volume);
  if (draft.chance(0.5)) draft.mend(`quota ${volume}`, 1300);
}

/**
 * Somebody without servers makes a file that does not fit, and then removes another one beside it: so that he can make
 * room, the first change steps aside (RI-3, venus/reintegration).
 */
export function steppedAside(draft: Draft): void {
  const gateway = draft.pick(draft.gateways);
  const volume = pickVolume(draft);
  const by = draft.sessionOf(gateway);
  const directory = draft.chance(0.5) ? draft.directoryOf(volume) : volume === 'root' ? '' : draft.mounted;
  const beside = (name: string): string => (directory === '' ? name : `${directory}/${name}`);
  draft.deed({ do: 'put', by, path: beside('old'), bytes: 40 }, 600);
  alone(draft, gateway, draft.pick(['plan', 'mode']));
  for (let index = 1 + draft.below(2); index > 0; index -= 1)
    draft.deed({ do: 'put', by, path: beside(`new${draft.number()}`), bytes: 300 }, 20);
  draft.deed({ do: 'remove', by, path: beside('old') }, 20);
  bounds(draft, volume, draft.pick([20, 1300]));
  together(draft, gateway, draft.pick([300, 3000]));
  if (draft.chance(0.3)) crash(draft, gateway);
  if (draft.chance(0.5)) draft.mend(`quota ${volume}`, 1300);
}

/** Where changes wait that have no room. */
export class RoomWatch {
  readonly #stage: Stage;
  /** By gateway and volume. */
  readonly #waiting = new Set<string>();

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** To be called again and again; each wait is counted once. */
  look(): void {
    const { realm, gateways, volumes, situations } = this.#stage;
    for (const gateway of gateways.filter((name) => realm.isUp(name))) {
      const states = realm.gateway(gateway).state().volumes;
      for (const volume of volumes) {
        const { lastError = null, pendingRecords = 0 } = states.find(({ id }) => id === idOf(volume)) ?? {};
        const key = `${gateway} ${volume}`;
        if (pendingRecords === 0 || lastError?.includes('quota') !== true) this.#waiting.delete(key);
        else if (!this.#waiting.has(key)) {
          this.#waiting.add(key);
          situations.count(`waits for room in ${volume}`);
        }
      }
    }
  }
}
