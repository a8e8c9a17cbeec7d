import { createHash, randomUUID } from 'node:crypto';
import { access, constants, type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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

export type Kind = 'program' | 'capture' | 'packets' | 'maps' | 'output' | 'series';

/** Where each kind of file lies. Names are made of ids that the daemon computed, never of what a request says. */
const PLACES: Readonly<Record<Kind, readonly [folder: string, ending: string]>> = {
  program: ['programs', '.o'],
  capture: ['captures', '.cap'],
  packets: ['replays', '.packets.ndjson'],
  maps: ['replays', '.maps.json'],
  output: ['replays', '.output.pcapng'],
  series: ['replays', '.series.json'],
};
const KINDS = Object.keys(PLACES) as Kind[];
/** What replays write. */
const RECORDINGS = KINDS.filter((kind) => PLACES[kind][0] === 'replays');
const UPLOADS = 'uploads';

/** How much there is of a kind of file. */
interface Usage {
  files: number;
  bytes: number;
}

/** Names that we give, and whose they are. Nothing else in the folders is touched. */
const OUR_ID = /^([0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;
const UPLOAD_NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.part$/;

/** Whether someone owns the file of an id. */
export type Owned = (kind: Kind, id: string) => Promise<boolean>;

/** The files of the data directory. */
export class DataFiles {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /** Makes the folders that are not there. The data directory itself is. */
  static async open(root: string): Promise<DataFiles> {
    const folders = new Set([UPLOADS, ...Object.values(PLACES).map(([folder]) => folder)]);
    for (const folder of folders) {
      await mkdir(join(root, folder)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
    }
    return new DataFiles(root);
  }

  /** Removes what a daemon that was killed left behind: half uploads, and files that nobody owns. */
  async sweep(owned: Owned): Promise<void> {
    for (const name of await readdir(join(this.#root, UPLOADS))) {
      if (UPLOAD_NAME.test(name)) await rm(join(this.#root, UPLOADS, name), { force: true });
    }
    for (const [kind, [folder, ending]] of Object.entries(PLACES) as [Kind, (typeof PLACES)[Kind]][]) {
      for (const name of await readdir(join(this.#root, folder))) {
        if (!name.endsWith(ending)) continue;
        const id = name.slice(0, -ending.length);
        if (OUR_ID.test(id) && !(await owned(kind, id))) await this.remove(kind, id);
      }
    }
  }

  path(kind: Kind, id: string): string {
    const [folder, ending] = PLACES[kind];
    return join(this.#root, folder, id + ending);
  }

  /**
   * Streams an upload to disk. The digest is of `prefix` and the bytes. Throws a `Problem` when it is too large or cut;
   * then nothing is left of it.
   */
  async receive(source: AsyncIterable<Uint8Array>, limit: Limit, prefix = ''): Promise<Received> {
    const path = join(this.#root, UPLOADS, `${randomUUID()}.part`);
    const hash = createHash('sha256').update(prefix);
    let size = 0;
    const file = await open(path, 'wx');
    try {
      for await (const chunk of source) {
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
    await sync(dirname(path));
  }

  /** Resolves when a file that was written in its place is on disk, or is not there at all. */
  async settle(kind: Kind, id: string): Promise<void> {
    const path = this.path(kind, id);
    await sync(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    await sync(dirname(path));
  }

  /** Opens a file to be read. Throws a `Problem` when somebody took it away. */
  async open(kind: Kind, id: string): Promise<FileHandle> {
    return open(this.path(kind, id)).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT'
        ? new Problem('data-damaged', `the file of ${kind} ${id} is gone; uploading the same bytes puts it back`)
        : error;
    });
  }

  async discard(received: Received): Promise<void> {
    await rm(received.path, { force: true });
  }

  async remove(kind: Kind, id: string): Promise<void> {
    await rm(this.path(kind, id), { force: true });
  }

  /** A message of the file system without the way to the data directory, which is nobody's business. */
  hidePlace(message: string): string {
    return message.replaceAll(join(this.#root, '/'), '');
  }

  /** What lies on disk, by kind. */
  async usage(): Promise<Record<Kind, Usage>> {
    const usage = Object.fromEntries(KINDS.map((kind) => [kind, { files: 0, bytes: 0 }])) as Record<Kind, Usage>;
    for (const kind of KINDS) {
      for (const { size } of await this.list(kind)) {
        usage[kind].files++;
        usage[kind].bytes += size;
      }
    }
    return usage;
  }

  /** The files of a kind with their sizes. */
  async list(kind: Kind): Promise<{ readonly id: string; readonly size: number }[]> {
    const [folder, ending] = PLACES[kind];
    const names = (await readdir(join(this.#root, folder)).catch(() => [])).filter((name) => name.endsWith(ending));
    const found = await Promise.all(
      names.map(async (name) => {
        // It may go at this moment.
        const size = (await stat(join(this.#root, folder, name)).catch(() => undefined))?.size;
        return size === undefined ? [] : [{ id: name.slice(0, -ending.length), size }];
      }),
    );
    return found.flat();
  }

  /** Ids of the replays of which something is recorded. */
  async recorded(): Promise<string[]> {
    const lists = await Promise.all(RECORDINGS.map((kind) => this.list(kind)));
    return [...new Set(lists.flat().map(({ id }) => id))];
  }

  /** Of one replay. */
  async recordedBytes(id: string): Promise<number> {
    const sizes = RECORDINGS.map(async (kind) => (await stat(this.path(kind, id)).catch(() => undefined))?.size ?? 0);
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  }

  async removeRecordings(id: string): Promise<void> {
    for (const kind of RECORDINGS) await this.remove(kind, id);
  }

  /** Bytes that may still be written; null where the file system does not tell. */
  async free(): Promise<number | null> {
    const { bavail, bsize } = await statfs(this.#root).catch(() => ({ bavail: null, bsize: 0 }));
    return bavail === null ? null : bavail * bsize;
  }

  /** Throws the file system's error unless files can be made. */
  async checkWritable(): Promise<void> {
    await access(join(this.#root, UPLOADS), constants.W_OK);
  }
}

/** What is in a file or folder is on disk when it resolves. */
async function sync(path: string): Promise<void> {
  const file = await open(path);
  await file.sync().finally(() => file.close());
}

export function tooLarge(limit: Limit): Problem {
  return new Problem(
    'too-large',
    `the upload is larger than the ${limit.bytes} bytes allowed; the daemon's option ${limit.option} raises it`,
    { limit: limit.bytes, option: limit.option },
  );
}
