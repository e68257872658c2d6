/** What a copy came to: what was copied, what was there already, what was not taken and why. */
import { bytesText } from '../output.js';
import { countText, shown } from '../words.js';

export interface Tally {
  files: number;
  folders: number;
  links: number;
  bytes: number;
}

export interface Refused {
  /** From the root of the tree; as a person may read it where it is no Unicode. */
  readonly path: string;
  readonly reason: string;
}

/** So many are kept by name; the others are counted. */
const keptMost = 1000;
const listedMost = 100;

export class TreeReport {
  readonly copied: Tally = { files: 0, folders: 0, links: 0, bytes: 0 };
  readonly passedOver: Tally = { files: 0, folders: 0, links: 0, bytes: 0 };
  readonly #refused: Refused[] = [];
  #refusals = 0;

  get refused(): readonly Refused[] {
    return this.#refused;
  }

  /** All of them, also those that are not kept by name. */
  get refusals(): number {
    return this.#refusals;
  }

  refuse(path: string, reason: string): void {
    this.#refusals += 1;
    if (this.#refused.length < keptMost) this.#refused.push({ path, reason });
  }

  plain(): object {
    const { copied, passedOver, refused, refusals } = this;
    return { copied, passedOver, refused, refusals };
  }

  text(): string {
    const lines = [`copied: ${tallyText(this.copied)}`];
    if (!isNothing(this.passedOver)) lines.push(`there already: ${tallyText(this.passedOver)}`);
    if (this.#refusals === 0) return lines.join('\n');
    lines.push(`not copied: ${this.#refusals}`);
    lines.push(
      ...this.#refused.slice(0, listedMost).map(({ path, reason }) => `  ${shown(path)}: ${shown(reason)}`),
    );
    if (this.#refusals > listedMost)
      lines.push(`  ... and ${this.#refusals - listedMost} more (--json lists more)`);
    return lines.join('\n');
  }
}

function tallyText(tally: Tally): string {
  const { files, folders, links, bytes } = tally;
  if (isNothing(tally)) return 'nothing';
  const parts = [
    files > 0 ? `${countText(files, 'file')} (${bytesText(bytes)})` : '',
    folders > 0 ? countText(folders, 'folder') : '',
    links > 0 ? countText(links, 'symbolic link') : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function isNothing({ files, folders, links }: Tally): boolean {
  return files + folders + links === 0;
}
