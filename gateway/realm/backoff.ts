/** When a child that died is started again: after 1, 2, 4 ... 30 s. One that has stayed up is forgiven. */
export interface Deaths {
  /** Deaths in a row, none of them after a long life. */
  readonly inRow: number;
}

export const noDeaths: Deaths = { inRow: 0 };

const firstDelayMs = 1_000;
const longestDelayMs = 30_000;
/** Up this long, a child has proved that it can run. */
const forgivenAfterMs = 60_000;

export interface NextStart {
  readonly deaths: Deaths;
  readonly delayMs: number;
}

/** After a death `uptimeMs` from its start: what to remember, and how long to wait before the next start. */
export function afterDeath(deaths: Deaths, uptimeMs: number): NextStart {
  const inRow = uptimeMs >= forgivenAfterMs ? 0 : deaths.inRow;
  return {
    deaths: { inRow: inRow + 1 },
    delayMs: Math.min(firstDelayMs * 2 ** Math.min(inRow, 16), longestDelayMs),
  };
}
