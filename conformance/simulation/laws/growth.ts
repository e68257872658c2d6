/** Nothing grows without bound: when all is at rest, logs are empty. */
import type { Law } from '../world/outcome.js';

export const growth: Law = ({ sizes, settledMs }) => {
  if (settledMs === undefined) return [];
  return sizes.flatMap(({ host, logRows }) =>
    logRows > 0 ? [`${host} keeps ${logRows} rows of an empty log`] : [],
  );
};
