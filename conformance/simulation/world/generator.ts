/**
 * Seed -> scenario. The generator never looks at a running realm, so a scenario is a value before anything happens.
 * Seeds take the kinds of trouble (profiles.ts) in turn: a row of seeds as long as their list meets all of them.
 */
import { seededRandom } from '../../../vice/seam/twin/seeded-random.js';
import { chatter } from './deeds.js';
import { Draft } from './draft.js';
import { profiles, type Profile } from './profiles.js';
import type { Scene } from './scenes.js';
import type { Scenario } from './scenario.js';

export function generate(seed: number): Scenario {
  const profile = profileOf(seed);
  const random = seededRandom(seed);
  const hot = profile.hot[Math.floor(random.fraction() * profile.hot.length)] ?? 1;
  const draft = new Draft({ ...profile, hot, seed: seed + 0x5eed });
  const mixture = profile.mixture.filter(([, weight]) => weight >= 2 || draft.chance(0.7));
  const scenes = Math.ceil(profile.scenes * (0.5 + 0.5 * random.fraction()));
  for (let index = 0; index < scenes; index += 1) {
    chosen(mixture, draft)(draft);
    // What is broken is mended sooner or later; some of it only when all is healed.
    if (draft.chance(0.25)) draft.mend();
    if (draft.chance(0.3)) chatter(draft);
  }
  const { servers, gateways, holding, volumes, steps } = draft;
  return {
    seed,
    servers: servers.length,
    gateways: gateways.length,
    ...(holding === undefined ? {} : { holding }),
    ...(volumes === undefined ? {} : { volumes }),
    ...(profile.graceMs === undefined ? {} : { graceMs: profile.graceMs }),
    steps,
  };
}

export function profileOf(seed: number): Profile {
  const profile = profiles[seed % profiles.length];
  if (profile === undefined) throw new Error(`${seed} is no seed`);
  return profile;
}

function chosen(mixture: Profile['mixture'], draft: Draft): Scene {
  const all = mixture.reduce((sum, [, weight]) => sum + weight, 0);
  let dice = draft.fraction() * all;
  for (const [scene, weight] of mixture) if ((dice -= weight) < 0) return scene;
  throw new Error('a mixture is empty');
}
