/** What an operator does who has a server check all that it holds. */
import type { ScrubReport } from '../../vice/interface/index.js';
import type { BareRealm } from './realm.js';

/** Seconds of the realm's clock. */
const patience = 600;

/** Asks for a pass and waits for its end. */
export async function scrub(realm: BareRealm, server: string): Promise<ScrubReport> {
  const operator = await realm.dial(server, 'op', 'operator');
  await operator.call('scrub', { start: true });
  for (let waited = 0; waited < patience; waited += 1) {
    await realm.clock.advance(1000);
    const report = await operator.call('scrub', { start: false });
    if (!report.running) return report;
  }
  throw new Error('the scrub does not end');
}
