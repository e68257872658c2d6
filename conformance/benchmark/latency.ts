/** How long a PUT of a small new file takes, one after another, by who answers for it. */
import type { DrivenRealm } from './driven-realm.js';
import { drive, fill, makeFolder, names, type Target } from './generator.js';
import type { Running } from './peers.js';
import { say, shown, type Table } from './report.js';

const bodyBytes = 4096;
const columns = ['connected', 'write-disconnected', 'disconnected', 'apache'];

/**
 * Leaves `realm` without servers, and what was put last in its log.
 * @param apache undefined where it is missing
 */
export async function putLatency(
  realm: DrivenRealm,
  apache: Running | undefined,
  files: number,
): Promise<Table> {
  const medians: Record<string, number> = {};
  const p95s: Record<string, number> = {};
  const measure = async (column: string, target: Target): Promise<void> => {
    const folder = `latency-${column}`;
    await makeFolder(target, folder);
    const paths = names(folder, files);
    const { medianMs, p95Ms } = await drive(target, { method: 'PUT', paths, bodyBytes, connections: 1 });
    medians[column] = medianMs;
    p95s[column] = p95Ms;
    say(`PUT of 4 KiB, ${column}: median ${shown(medianMs)} ms, p95 ${shown(p95Ms)} ms`);
  };
  // What a process does for the first time takes longer.
  for (const target of [realm.target, ...(apache ? [apache] : [])])
    await fill(target, 'warm', files, bodyBytes);
  await measure('connected', realm.target);
  if (apache !== undefined) await measure('apache', apache);
  await realm.setMode('write-disconnected');
  await measure('write-disconnected', realm.target);
  await realm.setMode('write-through');
  await realm.drained();
  await realm.stopServers();
  await measure('disconnected', realm.target);
  return {
    title: 'PUT of a new file of 4 KiB, one after another; less is better, in brackets the ratio to Apache',
    columns: columns.filter((column) => column in medians),
    base: 'apache',
    rows: [
      { what: 'median', unit: 'ms', figures: medians },
      { what: '95 of 100 within', unit: 'ms', figures: p95s },
    ],
  };
}
