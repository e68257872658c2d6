/** What breaks next, drawn from a seed. Pure. */
import type { Seeded } from '../crash/seeded.js';

export const servers = ['s1', 's2', 's3'] as const;
export const gateways = ['g1', 'g2'] as const;
export const roles: readonly string[] = [...servers, ...gateways];

export function isServer(role: string): boolean {
  return servers.some((server) => server === role);
}

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

/** One of each kind, in a drawn order: what every run must have met. What is cut is healed before anything else. */
export function firstFaults(seeded: Seeded): readonly Fault[] {
  const server = seeded.pick(servers) ?? 's1';
  const gateway = seeded.pick(gateways) ?? 'g1';
  const each: readonly (readonly Fault[])[] = [
    [{ kind: 'cut', what: 'one-way', pairs: drawOneWay(seeded) }, { kind: 'heal' }],
    [{ kind: 'cut', what: 'partition', pairs: between(['g1', server], roles) }, { kind: 'heal' }],
    [{ kind: 'cut', what: 'isolation', pairs: between([gateway], roles) }, { kind: 'heal' }],
    [{ kind: 'freeze', role: server, ms: 5_000 + seeded.below(3_000) }],
    [{ kind: 'kill', role: gateway, ms: seeded.below(4_000) }],
    [{ kind: 'fill', role: server, ms: 2_000 + seeded.below(5_000) }],
    [{ kind: 'fill', role: gateway, ms: 2_000 + seeded.below(5_000) }],
    [{ kind: 'step-clock', role: seeded.pick(roles) ?? 'g1', seconds: seeded.pick(steps) ?? 0 }],
  ];
  const order = new Map(each.map((faults) => [faults, seeded.fraction()]));
  return [...each].sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0)).flat();
}

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
