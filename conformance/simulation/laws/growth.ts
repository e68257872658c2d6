import type { Law } from '../world/outcome.js';
export const growth: Law = ({ sizes, looks, settledMs, ledger, scenario }) => {
  if (settledMs === undefined) return [];
  const living = new Map([...(looks.at(-1)?.dumps ?? [])].map(([k, d]) => [k, d instanceof Error ? -1 : d.length]));
  for (const size of sizes) console.log(JSON.stringify({ seed: scenario.seed, n: ledger.attempts.length, size, living: [...living] }));
  return [];
};
