/** Walks the whole transition table: every state, every event, every combination of facts. */
import t from 'tap';
import {
  acknowledgedBy,
  next,
  stateOf,
  states,
  transitions,
  type Event,
  type Facts,
  type State,
} from './volume-state.js';

/** What each event has made true of the facts. */
const brought: Readonly<Record<Event, Partial<Facts>>> = {
  'servers-gone': { reachable: false },
  'server-back': { reachable: true },
  weak: { weak: true },
  strong: { weak: false },
  logged: { pending: true },
  drained: { pending: false },
  diverged: { diverged: true },
  resolved: { diverged: false },
};
const events = Object.keys(brought) as Event[];
const bits = [false, true];
const allFacts: readonly Facts[] = bits.flatMap((reachable) =>
  bits.flatMap((weak) =>
    bits.flatMap((pending) => bits.map((diverged) => ({ reachable, weak, pending, diverged }))),
  ),
);

function* everything(): Generator<{ state: State; event: Event; facts: Facts; what: string }> {
  for (const state of states) {
    for (const event of events) {
      for (const facts of allFacts) {
        yield { state, event, facts, what: `${state}, ${event}, ${JSON.stringify(facts)}` };
      }
    }
  }
}

t.test('the table has a cell for every state and event, and no other', async (t) => {
  t.same(Object.keys(transitions).sort(), [...states].sort());
  for (const state of states) t.same(Object.keys(transitions[state]).sort(), [...events].sort(), state);
  t.equal([...everything()].length, 5 * 8 * 16);
});

t.test('laws that hold in every cell, whatever has overtaken what', async (t) => {
  for (const { state, event, facts, what } of everything()) {
    const to = next(state, event, facts);
    const { reachable, weak, pending, diverged } = facts;
    t.equal(to === 'emulating', !reachable, `${what}: no servers, and only then, is emulating`);
    if (reachable && weak) t.equal(to, 'write-disconnected', what);
    if (reachable && !weak && pending) t.equal(to, 'reintegrating', what);
    if (reachable && !weak && !pending) t.equal(to, diverged ? 'resolving' : 'hoarding', what);
    t.equal(next(to, event, facts), to, `${what}: told twice is told once`);
    if (reachable && pending)
      t.equal(acknowledgedBy(to), 'log', `${what}: nothing overtakes what waits (VS-2)`);
    if (!reachable) t.equal(acknowledgedBy(to), 'log', what);
  }
});

t.test('the table itself is right: facts correct it only where events overtook each other', async (t) => {
  let walked = 0;
  for (const before of allFacts) {
    for (const event of events) {
      const state = stateOf(before);
      const facts = { ...before, ...brought[event] };
      const cell = transitions[state][event];
      const what = `${state}, ${event}, ${JSON.stringify(facts)}`;
      if (typeof cell === 'string') {
        t.equal(cell, stateOf(facts), what);
      } else {
        const { weak, pending, diverged } = facts;
        const read =
          (weak ? cell.ifWeak : undefined) ??
          (pending ? cell.ifPending : undefined) ??
          (diverged ? cell.ifDiverged : undefined) ??
          cell.otherwise;
        t.equal(read, stateOf(facts), what);
        const asked = [cell.ifWeak, cell.ifPending, cell.ifDiverged].filter((to) => to !== undefined);
        t.ok(asked.length > 0, `${what}: a choice that asks nothing is a state`);
      }
      walked += 1;
    }
  }
  t.equal(walked, 16 * 8);
});

t.test('the ways of Coda', async (t) => {
  const strong = { reachable: true, weak: false, pending: false, diverged: false };
  const gone = { ...strong, reachable: false };
  const story: readonly (readonly [Event, Facts, State])[] = [
    ['servers-gone', gone, 'emulating'],
    ['logged', { ...gone, pending: true }, 'emulating'],
    ['server-back', { ...strong, pending: true }, 'reintegrating'],
    ['servers-gone', { ...gone, pending: true }, 'emulating'],
    ['server-back', { ...strong, pending: true }, 'reintegrating'],
    ['diverged', { ...strong, pending: true, diverged: true }, 'reintegrating'],
    ['drained', { ...strong, diverged: true }, 'resolving'],
    ['resolved', strong, 'hoarding'],
    ['weak', { ...strong, weak: true }, 'write-disconnected'],
    ['logged', { ...strong, weak: true, pending: true }, 'write-disconnected'],
    ['strong', { ...strong, pending: true }, 'reintegrating'],
    ['drained', strong, 'hoarding'],
  ];
  let state: State = 'hoarding';
  for (const [event, facts, to] of story) {
    state = next(state, event, facts);
    t.equal(state, to, `${event} ${JSON.stringify(facts)}`);
  }
  t.same(
    states.filter((each) => acknowledgedBy(each) === 'servers'),
    ['hoarding', 'resolving'],
  );
});
