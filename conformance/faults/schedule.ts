/** What breaks next, drawn from a seed. Pure. */
import type { Seeded } from '../crash/seeded.js';

export const servers = ['s1', 's2', 's3'] as const;
export const gateways = ['g1', 'g2'] as const;
export const roles: readonly string[] = [...servers, ...gateways];

export type Fault =
  /** What the first of a pair sends to the second vanishes. */
  | {
      readonly kind: 'cut';
      readonly what: 'one-way' | 'partition' | 'isolation';
      readonly pairs: readonly Pair[];
    }
  | { readonly kind: 'heal' }
  | { readonly kind: 'freeze'; readonly role: string; readonly ms: number }
  | { readonly kind: 'kill'; readonly role: string; readonly ms: number }
  | { readonly kind: 'fill'; readonly role: string; readonly ms: number }
  | { readonly kind: 'step-clock'; readonly role: string; readonly seconds: number };
export type Pair = readonly [from: string, to: string];

const steps = [-365 * 86_400, -86_400, -3_600, -5, 5, 3_600, 86_400, 10 * 365 * 86_400];

export function nextFault(seeded: Seeded): Fault {
  const dice = seeded.fraction();
  const role = seeded.pick(roles) ?? 'g1';
  if (dice < 0.15) return { kind: 'cut', what: 'one-way', pairs: drawOneWay(seeded) };
  if (dice < 0.3) return { kind: 'cut', what: 'partition', pairs: drawPartition(seeded) };
  if (dice < 0.4) return { kind: 'cut', what: 'isolation', pairs: between([role], roles) };
  if (dice < 0.6) return { kind: 'heal' };
  if (dice < 0.7) return { kind: 'freeze', role, ms: 500 + seeded.below(5_000) };
  if (dice < 0.82) return { kind: 'kill', role, ms: seeded.below(4_000) };
  if (dice < 0.94) return { kind: 'fill', role, ms: 2_000 + seeded.below(5_000) };
  return { kind: 'step-clock', role, seconds: seeded.pick(steps) ?? 0 };
}

function drawOneWay(seeded: Seeded): readonly Pair[] {
  const from = seeded.pick(roles) ?? 's1';
  const to = seeded.pick(roles.filter((role) => role !== from)) ?? 'g1';
  return [[from, to]];
}

/** Into two groups that hear nothing of one another. */
function drawPartition(seeded: Seeded): readonly Pair[] {
  const left = roles.filter(() => seeded.fraction() < 0.5);
  return between(
    left,
    roles.filter((role) => !left.includes(role)),
  );
}

function between(some: readonly string[], others: readonly string[]): readonly Pair[] {
  return some.flatMap((one) =>
    others
      .filter((other) => other !== one)
      .flatMap((other): Pair[] => [
        [one, other],
        [other, one],
      ]),
  );
}
