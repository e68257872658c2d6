/** Every request is answered, with success or a failure of a known kind; no process meets an error that nobody expects. */
import type { Law } from '../world/outcome.js';

export const answers: Law = ({ accidents }) => accidents.map((accident) => `an error that nobody expects: ${accident}`);
