/** Every request is answered, with success or a failure of a known kind; no process meets an unexpected error. */
import type { Law } from '../world/outcome.js';

export const answers: Law = ({ accidents }) =>
  accidents.map((accident) => `an error that nobody expects: ${accident}`);
