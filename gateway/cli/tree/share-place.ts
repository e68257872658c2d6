/** `VOLUME[:PATH]` as a person types it: a place in the share. */
import { OperatorError } from '../../config/operator-error.js';
import type { ChosenGateway } from '../gateway-choice.js';
import { unknownName } from '../unknown-name.js';

export interface SharePlace {
  readonly volume: string;
  /** The volume's number. */
  readonly id: string;
  /** Names from the root of the share. */
  readonly path: readonly string[];
  /** As it is said to people: "root:/docs". */
  readonly text: string;
}

/** @throws OperatorError refused: there is no such volume, or it is seen nowhere */
export function sharePlace(given: string, { name: gateway, status }: ChosenGateway): SharePlace {
  const [name = '', ...rest] = given.split(':');
  const names = rest
    .join(':')
    .split('/')
    .filter((each) => each !== '');
  const volume = status.volumes.find((each) => each.name === name);
  if (volume === undefined) {
    throw unknownName(
      'volume',
      name,
      status.volumes.map((each) => each.name),
    );
  }
  if (volume.path === null) {
    const advice = `Mount it (coda volume mount ${name} PATH), or try again when ${gateway} reaches a server.`;
    throw new OperatorError(
      'refused',
      `${gateway} does not know where volume ${name} is in the share. ${advice}`,
    );
  }
  const text = `${name}:/${names.join('/')}`;
  return { volume: name, id: volume.id, path: [...volume.path, ...names], text };
}
