import { createHash, randomUUID } from 'node:crypto';
import { access, constants, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Problem } from './problems.ts';

/** A size that an upload must not exceed, and the option of the daemon that raises it. */
export interface Limit {
  readonly bytes: number;
  readonly option: string;
}

/** An upload, whole and on disk, and not yet anyone's. */
export interface Received {
  /** SHA-256 in hex. */
  readonly digest: string;
  readonly size: number;
  readonly path: string;
}

type Kind = 'program' | 'capture' | 'packets' | 'maps';

/** Where each kind of file lies. Names are made of ids that the daemon computed, never of what a request says. */
const PLACES: Readonly<Record<Kind, readonly [folder: string, ending: string]>> = {
  program: ['programs', '.o'],
  capture: ['captures', '.cap'],
  packets: ['replays', '.packets.ndjson'],
  maps: ['replays', '.maps.json'],
};
const UPLOADS = 'uploads';

/** The data directory. One daemon at a time works in it. */
export class DataFiles {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /**
   * Makes the folders that are not there, and removes what a daemon that ended left behind and nobody can reach:
   * half uploads and recordings of replays. Only files that carry our own names are touched.
   */
  static async open(root: string): Promise<DataFiles> {
    const folders = new Set([UPLOADS, ...Object.values(PLACES).map(([folder]) => folder)]);
    for (const folder of folders) await mkdir(join(root, folder), { recursive: true });
    const leftovers = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.(part|packets\.ndjson|maps\.json)$/;
    for (const folder of [UPLOADS, 'replays']) {
      for (const name of await readdir(join(root, folder))) {
        if (leftovers.test(name)) await rm(join(root, folder, name), { force: true });
      }
    }
    return new DataFiles(root);
  }

  path(kind: Kind, id: string): string {
    const [folder, ending] = PLACES[kind];
    return join(this.#root, folder, id + ending);
  }

  /** Streams an upload to disk. Throws a `Problem` when it is too large or cut; then nothing is left of it. */
  async receive(source: Readable, limit: Limit): Promise<Received> {
    const path = join(this.#root, UPLOADS, `${randomUUID()}.part`);
    const hash = createHash('sha256');
    let size = 0;
    const file = await open(path, 'wx');
    try {
      // A source that is not read to its end stays usable, so that the answer can still be sent.
      for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
        size += chunk.length;
        if (size > limit.bytes) throw tooLarge(limit);
        hash.update(chunk);
        await file.writeFile(chunk);
      }
      await file.sync();
      await file.close();
    } catch (error) {
      await file.close().catch(() => {});
      await rm(path, { force: true });
      throw error;
    }
    return { digest: hash.digest('hex'), size, path };
  }

  /** Gives an upload its place. The same bytes may be there already: then they are replaced by themselves. */
  async keep(received: Received, kind: Kind): Promise<void> {
    const path = this.path(kind, received.digest);
    await rename(received.path, path);
    const folder = await open(join(path, '..'));
    await folder.sync().finally(() => folder.close());
  }

  async discard(received: Received): Promise<void> {
    await rm(received.path, { force: true });
  }

  async remove(kind: Kind, id: string): Promise<void> {
    await rm(this.path(kind, id), { force: true });
  }

  /** Throws the file system's error unless files can be made. */
  async checkWritable(): Promise<void> {
    await access(join(this.#root, UPLOADS), constants.W_OK);
  }
}

export function tooLarge(limit: Limit): Problem {
  return new Problem(
    'too-large',
    `the upload is larger than the ${limit.bytes} bytes allowed; the daemon's option ${limit.option} raises it`,
    { limit: limit.bytes, option: limit.option },
  );
}
