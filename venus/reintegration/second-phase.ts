/** What follows an update: telling its replicas of each other (COP2). */
import type { UpdateSet } from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import { quietly } from '../volume/resolve-call.js';
import type { Member, Volume } from '../volume/volume.js';

/** COP2 messages that found no call to ride on are sent alone after this time. */
const cop2Ms = 500;

/** `by` have applied `updates`: they hear so with their next calls, or by themselves soon. */
export function secondPhase(
  volume: Volume,
  by: readonly Member[],
  updates: readonly UpdateSet[],
  clock: Clock,
): void {
  for (const member of volume.members) if (by.includes(member)) volume.addCop2(member, updates);
  clock.after(cop2Ms, () => {
    for (const member of volume.avsg) {
      const cop2 = volume.takeCop2(member);
      if (cop2.length === 0) continue;
      const argument = { volume: volume.id, replica: member.replica, cop2 };
      void quietly(member.server.call('cop2', argument));
    }
  });
}
