/** How far a copy is: files, bytes, rate, time left. Told on stderr, on one line where a person watches. */
import { bytesText } from '../output.js';
import { countText, durationText } from '../words.js';

export interface TreeCount {
  files: number;
  bytes: number;
}

/** Time is measured over so long: what was long ago says little of what is to come. */
const windowMs = 20_000;
/** A file costs as much as so many bytes, however small it is. */
const fileCost = 32 * 1024;
const watchedMs = 250;
const loggedMs = 10_000;

/** Bytes and files that are done, of how many, and when. Times are milliseconds of any clock that does not jump. */
export class Pace {
  readonly all: TreeCount;
  readonly #marks: { readonly at: number; readonly bytes: number; readonly work: number }[];
  files = 0;
  bytes = 0;

  constructor(all: TreeCount, now: number) {
    this.all = all;
    this.#marks = [{ at: now, bytes: 0, work: 0 }];
  }

  /** "12 of 340 files, 5.1 MiB of 1.2 GiB, 3.2 MiB/s, 6 min left". */
  text(now: number): string {
    const { files, bytes, all } = this;
    const counted = `${files} of ${countText(all.files, 'file')}, ${bytesText(bytes)} of ${bytesText(all.bytes)}`;
    const work = bytes + files * fileCost;
    this.#mark(now, work);
    const [first] = this.#marks;
    const elapsed = first === undefined ? 0 : now - first.at;
    if (first === undefined || elapsed < 1_000 || work === first.work) return counted;
    const rate = ((bytes - first.bytes) / elapsed) * 1000;
    const rest = Math.max(0, all.bytes + all.files * fileCost - work);
    const left = (rest * elapsed) / (work - first.work);
    return `${counted}, ${bytesText(Math.max(0, rate))}/s, ${durationText(left)} left`;
  }

  #mark(now: number, work: number): void {
    const last = this.#marks.at(-1);
    if (last === undefined || now - last.at >= 1_000) this.#marks.push({ at: now, bytes: this.bytes, work });
    while ((this.#marks[1]?.at ?? now) <= now - windowMs) this.#marks.shift();
  }
}

export class TreeProgress {
  readonly pace: Pace;
  #told = performance.now();

  constructor(all: TreeCount) {
    this.pace = new Pace(all, performance.now());
  }

  /** `chunks`, counted as they go; `check` may stop them. */
  async *count(chunks: AsyncIterable<Uint8Array>, check: () => void): AsyncGenerator<Uint8Array> {
    let counted = 0;
    let isWhole = false;
    try {
      for await (const chunk of chunks) {
        check();
        counted += chunk.length;
        this.pace.bytes += chunk.length;
        this.tell();
        yield chunk;
      }
      isWhole = true;
    } finally {
      // What has to be sent again does not count twice.
      if (!isWhole) this.pace.bytes -= counted;
    }
  }

  /** One more file is done; `bytes` of it were not counted yet. */
  fileDone(bytes: number): void {
    this.pace.files += 1;
    this.pace.bytes += bytes;
    this.tell();
  }

  tell(): void {
    const now = performance.now();
    const watched = process.stderr.isTTY;
    if (now - this.#told < (watched ? watchedMs : loggedMs)) return;
    this.#told = now;
    say(this.pace.text(now));
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  }
}

/** One line on stderr, over the last one where a person watches. */
export function say(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r${text}\u001b[K` : `${text}\n`);
}
