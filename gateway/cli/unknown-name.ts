/** A name that is not there: said with what was probably meant. */
import { nearestName } from '../config/nearest-name.js';
import { OperatorError } from '../config/operator-error.js';

/** "There is no ...", with what was probably meant, or what there is. */
export function unknownName(what: string, name: string, names: readonly string[]): OperatorError {
  const nearest = nearestName(name, names);
  const known = names.length === 0 ? 'There is none.' : `There are ${names.join(', ')}.`;
  const advice = nearest === undefined ? known : `Did you mean "${nearest}"? ${known}`;
  return new OperatorError('refused', `There is no ${what} "${name}". ${advice}`);
}
