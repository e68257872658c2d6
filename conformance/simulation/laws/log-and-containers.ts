/** Log and containers agree: what a gateway's log has yet to send is on its disk. */
import type { Law } from '../world/outcome.js';

export const logAndContainers: Law = ({ looks }) =>
  looks.flatMap(({ when, views }) =>
    views.flatMap(({ gateway, missing }) =>
      missing.map((digest) => `${when}: ${gateway}: its log needs ${digest}, which is not on its disk`),
    ),
  );
