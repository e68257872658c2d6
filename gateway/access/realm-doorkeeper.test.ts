/** Users whom the realm's servers keep: who gets in at a gateway, with and without a server that can be asked. */
import t from 'tap';
import { isFailure } from '../../venus/interface.js';
import { MemoryPeople } from '../../venus/twin/memory-people.js';
import { silentLog } from '../../vice/seam/log.js';
import { MemoryDocuments } from '../../vice/seam/twin/memory-documents.js';
import { PlainPasswords } from '../../vice/seam/twin/plain-passwords.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { basicAuthentication } from './basic-authentication.js';
import { chosenDoorkeeper } from './doorkeeper.js';
import { RealmDoorkeeper } from './realm-doorkeeper.js';

const day = 24 * 60 * 60 * 1000;
const minute = 60_000;

class Gate {
  readonly people = new MemoryPeople();
  readonly clock = new SimulatedClock();
  readonly passwords = new PlainPasswords(seededRandom(1));
  remembered = new MemoryDocuments({ clock: this.clock, flushMs: 1 });
  keeper = this.#open();

  constructor() {
    this.people.set('anna', 'sesame');
  }

  /** `in`, `out`, or why it cannot be said. */
  async tries(user: string, password: string): Promise<string> {
    try {
      return (await this.clock.until(this.keeper.verify(user, password))) ? 'in' : 'out';
    } catch (error) {
      if (!isFailure(error)) throw error;
      return error.kind;
    }
  }

  /** What servers were asked meanwhile. */
  asked(): readonly string[] {
    return this.people.asked.splice(0);
  }

  restart(): void {
    this.remembered = this.remembered.crash();
    this.keeper = this.#open();
  }

  #open(): RealmDoorkeeper {
    const { people, remembered, passwords, clock } = this;
    return new RealmDoorkeeper({ people, remembered, passwords, clock, random: seededRandom(2) });
  }
}

t.test('a server is asked for the password once, then only whether the login holds', async (t) => {
  const gate = new Gate();
  t.equal(await gate.tries('anna', 'sesame'), 'in');
  t.same(gate.asked(), ['login anna']);
  const { verified } = gate.passwords;
  for (let time = 0; time < 3; time += 1) t.equal(await gate.tries('anna', 'sesame'), 'in');
  t.same(gate.asked(), ['renew anna', 'renew anna', 'renew anna']);
  t.equal(gate.passwords.verified, verified, 'and no hash is made for what was right before');
  t.equal(await gate.tries('anna', 'Sesame'), 'out');
  t.same(gate.asked(), ['login anna'], 'it might be a new one');
  t.equal(await gate.tries('eve', 'x'), 'out');
  t.equal(gate.passwords.verified, verified + 2, 'a name that is unknown here costs as much as a known one');
  t.equal(await gate.tries('anna', 'sesame'), 'in', 'guesses took nothing from her');
});

t.test('while no server can be asked the password counts that was right before, for a while', async (t) => {
  const gate = new Gate();
  t.equal(await gate.tries('anna', 'sesame'), 'in');
  gate.people.isReachable = false;
  gate.restart();
  t.equal(await gate.tries('anna', 'sesame'), 'in', 'after a restart, too');
  gate.people.isOver = true;
  t.equal(await gate.tries('anna', 'sesame'), 'in', 'also when the time of her login has passed');
  t.equal(await gate.tries('anna', 'new'), 'unreachable', 'it may be a new one: nobody knows');
  t.equal(await gate.tries('eve', 'x'), 'unreachable', 'neither in nor out');
  await gate.clock.advance(31 * day);
  t.equal(await gate.tries('anna', 'sesame'), 'unreachable', 'for a month, not for ever');
  gate.people.isReachable = true;
  t.equal(await gate.tries('anna', 'sesame'), 'in');
  t.same(gate.asked().at(-1), 'login anna', 'the password came with the request, so she logs in by itself');
  gate.people.isReachable = false;
  t.equal(await gate.tries('anna', 'sesame'), 'in', 'and counts from then on');
});

t.test('what servers say of a password holds, also when they are gone again', async (t) => {
  const gate = new Gate();
  t.equal(await gate.tries('anna', 'sesame'), 'in');
  gate.people.set('anna', 'new');
  t.equal(await gate.tries('anna', 'sesame'), 'out');
  gate.people.isReachable = false;
  t.equal(await gate.tries('anna', 'sesame'), 'unreachable', 'forgotten here, too');
  gate.people.isReachable = true;
  t.equal(await gate.tries('anna', 'new'), 'in');
  gate.people.set('anna', null);
  t.equal(await gate.tries('anna', 'new'), 'out', 'disabled');
  gate.people.set('anna', 'new');
  t.equal(await gate.tries('anna', 'new'), 'in', 'enabled');
});

t.test(
  'at the door: out within a minute at most, at once where the gateway has heard of a change',
  async (t) => {
    const gate = new Gate();
    const { people, clock } = gate;
    const users = chosenDoorkeeper(people, gate.keeper, undefined);
    const login = basicAuthentication({ users, clock, random: seededRandom(3), log: silentLog, atOnce: 8 });
    const status = async (password: string): Promise<number> => {
      const header = `Basic ${Buffer.from(`anna:${password}`).toString('base64')}`;
      const answer = await clock.until(login(header, '10.0.0.1'));
      return 'user' in answer ? 200 : answer.status;
    };
    t.equal(await status('sesame'), 200);
    t.equal(await status('sesame'), 200);
    t.same(gate.asked(), ['login anna'], 'remembered for a minute');
    await clock.advance(minute + 1);
    t.equal(await status('sesame'), 200);
    t.same(gate.asked(), ['renew anna']);
    people.set('anna', 'new');
    t.equal(await status('sesame'), 401);
    t.equal(await status('new'), 200);
    people.isReachable = false;
    await clock.advance(minute + 1);
    t.equal(await status('new'), 200);
    t.equal(await status('other'), 503, 'nobody can say that this is wrong');
    for (let guess = 0; guess < 12; guess += 1) await status(`${guess}`);
    t.equal(await status('guess'), 429, 'guessing is slowed down all the same');
  },
);
