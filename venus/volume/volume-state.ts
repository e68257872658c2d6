/**
 * The states of one volume at this Venus and every way between them (Kistler and Satyanarayanan 1992, figure 3;
 * Coda: coda-src/venus/venusvol.cc, TakeTransition). Pure; the table below is the documentation.
 *
 *   hoarding            servers answer, nothing waits: changes are acknowledged by them
 *   write-disconnected  servers answer over a weak link, or a person asked for it: changes go to the log, the log
 *                       trickles to the servers
 *   emulating           no server answers: the cache stands in for them, changes go to the log
 *   reintegrating       servers answer again and earlier changes wait: new ones queue behind them
 *   resolving           servers answer and were seen to differ: they are being brought together
 *
 * VS-1  A volume without accessible servers is emulating; one with any is not.
 * VS-2  While a change waits that only the gateway's disk has, new ones are acknowledged by the log too: a server
 *       never gets a later change before an earlier one. Therefore waiting changes outrank divergence here; in Coda
 *       resolving comes first, because there the client drives it and must not log meanwhile.
 */
import type { VolumeState } from '../interface.js';

export type State = VolumeState['state'];

export const states = [
  'hoarding',
  'write-disconnected',
  'emulating',
  'reintegrating',
  'resolving',
] as const satisfies readonly State[];

export type Event =
  /** The last member left the AVSG: silent, closed, or disconnected on purpose. */
  | 'servers-gone'
  /** The first member joined the AVSG. */
  | 'server-back'
  /** A person asked for write-disconnected operation, or the link was measured to be slow. */
  | 'weak'
  /** Neither any more. */
  | 'strong'
  /** A change was acknowledged by the gateway's disk alone. */
  | 'logged'
  /** No such change waits any more. */
  | 'drained'
  /** A fetch saw unequal replicas. */
  | 'diverged'
  /** They are equal again, or left to a person. */
  | 'resolved';

/** How things stand once the event has happened. */
export interface Facts {
  /** The AVSG has members. */
  readonly reachable: boolean;
  readonly weak: boolean;
  /** A change waits that only the gateway's disk has. */
  readonly pending: boolean;
  readonly diverged: boolean;
}

/** Where neither state nor event tell a fact: the state of the first one that holds, read from the top. */
interface Choice {
  readonly ifWeak?: State;
  readonly ifPending?: State;
  readonly ifDiverged?: State;
  readonly otherwise: State;
}

export type Cell = State | Choice;

const whenServersReturn: Choice = {
  ifWeak: 'write-disconnected',
  ifPending: 'reintegrating',
  ifDiverged: 'resolving',
  otherwise: 'hoarding',
};
const whenTheLinkIsStrong: Choice = {
  ifPending: 'reintegrating',
  ifDiverged: 'resolving',
  otherwise: 'hoarding',
};
const whenTheLogIsEmpty: Choice = { ifDiverged: 'resolving', otherwise: 'hoarding' };

/** From a state (row) by an event to the next state. */
export const transitions: Readonly<Record<State, Readonly<Record<Event, Cell>>>> = {
  hoarding: {
    'servers-gone': 'emulating',
    'server-back': 'hoarding',
    weak: 'write-disconnected',
    strong: 'hoarding',
    logged: 'reintegrating',
    drained: 'hoarding',
    diverged: 'resolving',
    resolved: 'hoarding',
  },
  'write-disconnected': {
    'servers-gone': 'emulating',
    'server-back': 'write-disconnected',
    weak: 'write-disconnected',
    strong: whenTheLinkIsStrong,
    logged: 'write-disconnected',
    drained: 'write-disconnected',
    diverged: 'write-disconnected',
    resolved: 'write-disconnected',
  },
  emulating: {
    'servers-gone': 'emulating',
    'server-back': whenServersReturn,
    weak: 'emulating',
    strong: 'emulating',
    logged: 'emulating',
    drained: 'emulating',
    diverged: 'emulating',
    resolved: 'emulating',
  },
  reintegrating: {
    'servers-gone': 'emulating',
    'server-back': 'reintegrating',
    weak: 'write-disconnected',
    strong: 'reintegrating',
    logged: 'reintegrating',
    drained: whenTheLogIsEmpty,
    diverged: 'reintegrating',
    resolved: 'reintegrating',
  },
  resolving: {
    'servers-gone': 'emulating',
    'server-back': 'resolving',
    weak: 'write-disconnected',
    strong: 'resolving',
    logged: 'reintegrating',
    drained: 'resolving',
    diverged: 'resolving',
    resolved: 'hoarding',
  },
};

/** What a state says of the facts. Of any facts exactly one state is true. */
const meaning: Readonly<Record<State, (facts: Facts) => boolean>> = {
  hoarding: ({ reachable, weak, pending, diverged }) => reachable && !weak && !pending && !diverged,
  'write-disconnected': ({ reachable, weak }) => reachable && weak,
  emulating: ({ reachable }) => !reachable,
  reintegrating: ({ reachable, weak, pending }) => reachable && !weak && pending,
  resolving: ({ reachable, weak, pending, diverged }) => reachable && !weak && !pending && diverged,
};

/**
 * The state after `event`: what the table says. Only where that is not true of `facts` has another event overtaken
 * this one (a server that came back is gone again before anybody was told), and the facts decide.
 */
export function next(state: State, event: Event, facts: Facts): State {
  const cell = transitions[state][event];
  const to = typeof cell === 'string' ? cell : chosen(cell, facts);
  return meaning[to](facts) ? to : stateOf(facts);
}

/** The state that is true of `facts`: where a volume starts. */
export function stateOf(facts: Facts): State {
  const found = states.find((state) => meaning[state](facts));
  if (found === undefined) throw new Error('venus: no volume state is true of the facts');
  return found;
}

/** Who acknowledges a change: the servers that hold the volume, or the log on the gateway's own disk. */
export function acknowledgedBy(state: State): 'servers' | 'log' {
  return state === 'hoarding' || state === 'resolving' ? 'servers' : 'log';
}

function chosen(choice: Choice, { weak, pending, diverged }: Facts): State {
  if (weak && choice.ifWeak !== undefined) return choice.ifWeak;
  if (pending && choice.ifPending !== undefined) return choice.ifPending;
  if (diverged && choice.ifDiverged !== undefined) return choice.ifDiverged;
  return choice.otherwise;
}
