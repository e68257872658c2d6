import t from 'tap';
import fc from 'fast-check';
import { Latches, type LatchRequest } from './latches.js';

t.test('changes of the same name run one after the other, in order; others side by side', async (t) => {
  const latches = new Latches();
  const told: string[] = [];
  let finishFirst = (): void => undefined;
  const first = latches.with([{ key: 'n/a', mode: 'exclusive' }], async () => {
    told.push('first begins');
    await new Promise<void>((resolve) => {
      finishFirst = resolve;
    });
    told.push('first ends');
  });
  const second = latches.with([{ key: 'n/a', mode: 'exclusive' }], async () => void told.push('second'));
  await latches.with([{ key: 'n/b', mode: 'exclusive' }], async () => void told.push('other name'));
  finishFirst();
  await Promise.all([first, second]);
  t.same(told, ['first begins', 'other name', 'first ends', 'second']);
});

t.test('a failing change lets the next one go', async (t) => {
  const latches = new Latches();
  const request: LatchRequest[] = [{ key: 'k', mode: 'exclusive' }];
  await t.rejects(
    latches.with(request, () => Promise.reject(new Error('no'))),
    { message: 'no' },
  );
  t.equal(await latches.with(request, () => Promise.resolve(1)), 1);
});

t.test('any mix of requests ends, and an exclusive holder is alone', async (t) => {
  const request = fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    mode: fc.constantFrom('shared' as const, 'exclusive' as const),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(request, { maxLength: 4 }), { maxLength: 20 }), async (changes) => {
      const latches = new Latches();
      const holders = new Map<string, { shared: number; exclusive: number }>();
      await Promise.all(
        changes.map((requests) =>
          latches.with(requests, async () => {
            const modes = new Map<string, 'shared' | 'exclusive'>();
            for (const { key, mode } of requests) if (modes.get(key) !== 'exclusive') modes.set(key, mode);
            for (const [key, mode] of modes) {
              const held = holders.get(key) ?? { shared: 0, exclusive: 0 };
              held[mode] += 1;
              holders.set(key, held);
              if (held.exclusive > 1 || (held.exclusive === 1 && held.shared > 0))
                throw new Error(`not alone: ${key}`);
            }
            await Promise.resolve();
            for (const [key, mode] of modes) {
              const held = holders.get(key);
              if (held !== undefined) held[mode] -= 1;
            }
          }),
        ),
      );
    }),
    { numRuns: 300 },
  );
  t.pass('300 schedules');
});
