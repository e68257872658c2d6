import type { Test } from 'tap';
import { randomHex, type Random } from '../../vice/seam/random.js';

/** What every Random must do. The statistics fail by chance less than once in a million runs. */
export function randomContract(t: Test, name: string, make: () => Random): void {
  void t.test(`${name}: random numbers`, async (t) => {
    const random = make();

    await t.test('as many bytes as asked for, different ones', async (t) => {
      for (const count of [0, 1, 3, 4, 17, 4096]) t.equal(random.bytes(count).length, count);
      const drawn = Array.from({ length: 1000 }, () => randomHex(random, 8));
      t.equal(new Set(drawn).size, 1000);
      t.ok(drawn.every((hex) => /^[0-9a-f]{16}$/.test(hex)));
    });

    await t.test('every bit of a byte is set about half the time', async (t) => {
      const bytes = random.bytes(100_000);
      for (let bit = 0; bit < 8; bit += 1) {
        const set = bytes.reduce((count, byte) => count + ((byte >> bit) & 1), 0);
        t.ok(Math.abs(set - 50_000) < 1000, `bit ${bit}: ${set}`);
      }
    });

    await t.test('fractions spread over [0, 1)', async (t) => {
      const tenths = new Array<number>(10).fill(0);
      for (let draw = 0; draw < 100_000; draw += 1) {
        const fraction = random.fraction();
        if (!(fraction >= 0 && fraction < 1)) t.fail(`${fraction}`);
        const tenth = Math.floor(fraction * 10);
        tenths[tenth] = (tenths[tenth] ?? 0) + 1;
      }
      t.ok(
        tenths.every((count) => Math.abs(count - 10_000) < 600),
        tenths.join(' '),
      );
    });
  });
}
